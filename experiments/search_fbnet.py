"""Searches an FBNet for your data and device (Ch. 7 §6-7, Tables 7-9).

    python -m experiments.search_fbnet --config=smoke --workdir=DIR
    python -m tools.measure_operators --engine=tflite_int8 --output=table.json \
        --set=input_size=32 --set=channels=1 --set=num_classes=10 \
        --set=width=0.35 --set=last_filters=128
    python -m experiments.search_fbnet --config=digits --workdir=DIR \
        --set=cost=latency --set=latency_table=table.json

Trains the super net, draws architectures of its distribution, trains them from
scratch and prints their accuracy and cost. A search that was stopped, even by
kill -9, goes on when it is started again with the same flags. The folder of
each network, DIR/children/NAME, is a run of train_classifier.
"""

from experiments import search_problems, search_script
from squeeze_tf.search import config

if __name__ == "__main__":
    search_script.run(config.FBNET, "digits", search_problems.fbnet)
