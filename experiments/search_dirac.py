"""Searches a DiracDeltaNet for an accelerator (Ch. 6 §4-5, Ch. 7 §6).

    python -m experiments.search_dirac --config=smoke --workdir=DIR
    python -m tools.synetgy.search_table --config=digits --output=table.json
    python -m experiments.search_dirac --config=digits --workdir=DIR \
        --set=cost=latency --set=latency_table=table.json

Ours: the thesis designs this network by hand. Trains the super net with the
weights and activations of few bits that the accelerator takes, draws
architectures of its distribution, trains them from scratch and prints their
accuracy and cost. A search that was stopped, even by kill -9, goes on when it
is started again with the same flags. The folder of each network,
DIR/children/NAME, is a run of train_classifier, which tools.synetgy simulates.
"""

from experiments import search_problems, search_script
from squeeze_tf.search import config

if __name__ == "__main__":
    search_script.run(config.DIRAC, "digits", search_problems.dirac)
