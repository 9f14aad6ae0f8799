"""Searches the bits of a ResNet's blocks (Ch. 7 §4-5, Tables 1-4).

    python -m experiments.search_precision --config=smoke --workdir=DIR
    python -m experiments.search_precision --config=digits_resnet20 \
        --workdir=DIR

Trains the super net, draws architectures of its distribution, trains them from
scratch and prints their accuracy and cost. A search that was stopped, even by
kill -9, goes on when it is started again with the same flags. The folder of
each network, DIR/children/NAME, is a run of train_classifier.
"""

from experiments import search_problems, search_script
from squeeze_tf.search import config

if __name__ == "__main__":
    search_script.run(
        config.PRECISION, "digits_resnet20", search_problems.precision
    )
