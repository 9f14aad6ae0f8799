"""The settings of a run, kept in its folder and compared when it goes on."""

import dataclasses
import pathlib
from typing import Any

from squeeze_tf import config as config_lib

FILE = "config.json"


def keep(config: Any, workdir: pathlib.Path) -> None:
    """Writes the settings, or makes sure that they are those of the run.

    Args:
      config: flat dataclass.
      workdir: of the run; it is made.

    Raises:
      ValueError: the folder holds a run with other settings.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / FILE
    if path.exists():
        there = dataclasses.asdict(config_lib.read(type(config), path))
        differing = [
            f"{field} is {there[field]} there and {value} here"
            for field, value in dataclasses.asdict(config).items()
            if value != there[field]
        ]
        if differing:
            raise ValueError(
                f"{path} is of another run; take a new workdir, or remove it: "
                + "; ".join(differing)
            )
    config_lib.write(config, path)
