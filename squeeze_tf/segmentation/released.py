"""Where the trained weights that come with the package lie."""

import pathlib

FOLDER = pathlib.Path(__file__).parent / "released"
DEFAULT = "hdl64e_front"


def workdir(name: str = DEFAULT) -> pathlib.Path:
    """The run of released weights, with a MODEL_CARD.md.

    Args:
      name: of the folder.

    Raises:
      FileNotFoundError: there are none of that name; lists those there are.
    """
    found = FOLDER / name
    if not found.is_dir():
        names = sorted(x.name for x in FOLDER.glob("*") if x.is_dir())
        raise FileNotFoundError(
            f"weights must be one of {', '.join(names) or 'none'}; got {name!r}"
        )
    return found
