"""Trains classifiers of Ch. 6 and 7: shift networks, FBNets, few bits.

    python -m experiments.train_classifier --config=digits_shift_resnet \
        --workdir=DIR
    python -m experiments.train_classifier --config=cifar100_shift_resnet56_3 \
        --set=train_data=DIR --workdir=DIR
    python -m experiments.train_classifier --config=own \
        --set=train_data=DIR --workdir=DIR

The first needs no data and a minute. A run that was stopped, even by kill -9,
goes on from its last epoch when it is started again with the same flags.
`--config=own` takes a folder of images for each class, whatever the classes
are. `--set=teacher=WORKDIR` learns from the probabilities of another run
(label refinery, Ch. 6 §4.3) instead of the labels; `top1` of the training
images then says how often the two agree. `--architecture=FILE` trains a
network that search_fbnet, search_precision or search_dirac has found, on any
data.
"""

import pathlib

from absl import flags

from experiments import classification_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.classification import config as classification_config

_CONFIG = flags.DEFINE_enum(
    "config", "own", sorted(classification_config.CONFIGS), "Which setting."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_ARCHITECTURE = flags.DEFINE_string(
    "architecture", None, "architecture.json that a search has written."
)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    sorted(classification_run.STRATEGIES),
    "How a batch is shared between devices.",
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the run is kept.")


def main(_: list[str]) -> None:
    """Trains with the flags' settings."""
    config = classification_config.CONFIGS[_CONFIG.value]
    if _ARCHITECTURE.value:
        config = classification_run.with_architecture(
            config, _ARCHITECTURE.value
        )
    config = config_lib.override(config, _SET.value)
    classification_run.train(config, _WORKDIR.value, strategy=_STRATEGY.value)
    workdir = pathlib.Path(_WORKDIR.value).resolve()
    print(f"Checkpoints, record.jsonl and tensorboard/ lie in {workdir}")


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
