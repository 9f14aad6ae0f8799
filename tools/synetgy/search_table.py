"""Simulates the operators of a search of DiracDeltaNets (Ch. 6 §5, Ch. 7 §6.2).

    python -m tools.synetgy.search_table --config=digits --output=table.json
    python -m experiments.search_dirac --config=digits --workdir=DIR \
        --set=cost=latency --set=latency_table=table.json

Writes what each takes on the accelerator as a latency table. --config and --set
are those of the search; --device_set overrides a field of the accelerator. Ten
seconds.
"""

from absl import flags

from experiments import classification_run, search_problems
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.search import config as search_config
from squeeze_tf.search import latency_table
from tools.synetgy import hardware, search_latency, settings

_CONFIG = flags.DEFINE_enum(
    "config", "digits", sorted(search_config.DIRAC), "Setting of the search."
)
_SET = flags.DEFINE_multi_string(
    "set", [], "Override of the search, as field=value."
)
_DEVICE = flags.DEFINE_string(
    "device",
    "ultra96",
    f"One of {', '.join(sorted(hardware.DEVICES))}, or a .json of its fields.",
)
_DEVICE_SET = flags.DEFINE_multi_string(
    "device_set", [], "Override of the device, as field=value."
)
_BATCH = flags.DEFINE_integer("batch", 1, "Images.")
_OUTPUT = flags.DEFINE_string("output", None, "The table, .json.")


def main(_: list[str]) -> None:
    """Writes the table."""
    config = config_lib.override(search_config.DIRAC[_CONFIG.value], _SET.value)
    search_config.check(config)
    images = classification_run.images(config, "train")
    table = search_latency.latency_table(
        search_problems.dirac_networks(config, len(images.class_names)),
        settings.device(_DEVICE.value, _DEVICE_SET.value),
        _BATCH.value,
    )
    latency_table.write(table, _OUTPUT.value)
    print(f"{len(table.entries)} operators of {table.name}: {_OUTPUT.value}")


if __name__ == "__main__":
    flags.mark_flag_as_required("output")
    command_line.run(main)
