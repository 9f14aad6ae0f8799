"""Measures the operators of a search space on this machine, Ch. 7 §6.2.

    python -m tools.measure_operators --space=fbnet --engine=tflite_int8
        --output=TABLE.json [--set=input_size=96] [--verify=30]

Writes the latency table every few operators; started again, it measures what
the table lacks. --verify measures so many random networks whole, too, and
writes TABLE.networks.json, TABLE.verification.json and a picture of estimate
against measurement. Nothing else should run on the machine meanwhile.
"""

import dataclasses
import pathlib

import tensorflow as tf
from absl import flags

from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.classification import fbnet
from squeeze_tf.search import (
    fbnet_space,
    latency_engines,
    latency_table,
    latency_verification,
    operator_benchmark,
)
from squeeze_tf.search import space as space_lib


@dataclasses.dataclass(frozen=True)
class FBNet:
    """Arguments of fbnet_space() that change what is measured."""

    input_size: int = 224
    channels: int = 3
    num_classes: int = 1000
    width: float = 1.0
    last_filters: int = 1504  # as in classification.config
    kinds: tuple[str, ...] = tuple(fbnet.BLOCKS)

    def space(self) -> space_lib.Space:
        """The space of the FBNets."""
        return fbnet_space.fbnet_space(
            input_shape=(self.input_size, self.input_size, self.channels),
            num_classes=self.num_classes,
            width=self.width,
            last_filters=self.last_filters,
            kinds=self.kinds,
        )


SPACES = {"fbnet": FBNet()}
_DEFAULTS = operator_benchmark.Settings()
_SPACE = flags.DEFINE_enum("space", "fbnet", sorted(SPACES), "Which space.")
_SET = flags.DEFINE_multi_string("set", [], "Override of it, field=value.")
_ENGINE = flags.DEFINE_enum(
    "engine", _DEFAULTS.engine, list(latency_engines.ENGINES), "What runs."
)
_THREADS = flags.DEFINE_integer(
    "num_threads", _DEFAULTS.num_threads, "Of an operator."
)
_BATCH = flags.DEFINE_integer("batch_size", _DEFAULTS.batch_size, "Images.")
_REPEATS = flags.DEFINE_integer(
    "repeats", _DEFAULTS.repeats, "Calls of each operator that count."
)
_SEED = flags.DEFINE_integer("seed", _DEFAULTS.seed, "Of order and networks.")
_NAME = flags.DEFINE_string("name", None, "Of the device; the processor's.")
_VERIFY = flags.DEFINE_integer(
    "verify", 0, "Random networks to measure whole; none if 0."
)
_OUTPUT = flags.DEFINE_string("output", None, "The table, .json.")


def main(_: list[str]) -> None:
    """Measures what the table lacks, then networks."""
    settings = operator_benchmark.Settings(
        engine=_ENGINE.value,
        num_threads=_THREADS.value,
        batch_size=_BATCH.value,
        repeats=_REPEATS.value,
        seed=_SEED.value,
    )
    tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
    tf.config.threading.set_inter_op_parallelism_threads(_THREADS.value)
    config = config_lib.override(SPACES[_SPACE.value], _SET.value)
    space = config.space()
    output = pathlib.Path(_OUTPUT.value)
    table = operator_benchmark.measure(
        operator_benchmark.operator_models(space), settings, output, _NAME.value
    )
    print(f"{len(table.entries)} operators of {table.name} lie in {output}")
    if _VERIFY.value:
        verify(space, settings, table, output)


def verify(
    space: space_lib.Space,
    settings: operator_benchmark.Settings,
    table: latency_table.LatencyTable,
    output: pathlib.Path,
) -> None:
    """Measures random networks and prints how the estimates agree."""
    chosen = latency_verification.architectures(
        space, _VERIFY.value, settings.seed
    )
    networks = operator_benchmark.measure(
        latency_verification.network_models(space, chosen),
        settings,
        output.with_suffix(".networks.json"),
        table.name,
    )
    found = latency_verification.verify(
        table,
        networks,
        space,
        chosen,
        output.with_suffix(".verification.json"),
    )
    for name, value in dataclasses.asdict(found).items():
        print(f"{name.replace('_', ' '):32}{value:10.3f}")


if __name__ == "__main__":
    flags.mark_flag_as_required("output")
    command_line.run(main)
