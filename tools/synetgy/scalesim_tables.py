"""Lines of values between commas, as SCALE-Sim reads and writes them."""

import pathlib
from collections.abc import Sequence


def line(values: Sequence[object]) -> str:
    """One line; a comma ends it."""
    return ", ".join(map(str, values)) + ","


def cells(text: str) -> list[str]:
    """Values of one line as text; a comma may end it."""
    return [x.strip() for x in text.strip().removesuffix(",").split(",")]


def read(path: pathlib.Path) -> list[tuple[int, list[str]]]:
    """Numbers and values of all lines that are not empty.

    Raises:
      ValueError: there are none.
      OSError: the file cannot be read.
    """
    texts = path.read_text("utf-8").splitlines()
    found = [
        (n, cells(text)) for n, text in enumerate(texts, 1) if text.strip()
    ]
    if not found:
        raise ValueError(f"{path}: expected a header; the file is empty")
    return found


def check_width(where: str, values: list[str], header: list[str]) -> None:
    """Checks that a line has a value for every name of the header.

    Raises:
      ValueError: it has not; the error begins with `where`.
    """
    if len(values) != len(header):
        raise ValueError(
            f"{where}: expected {len(header)} values "
            f"({', '.join(header)}); got {len(values)}: {', '.join(values)!r}"
        )


def number(where: str, text: str, kind: type[int] | type[float]) -> float:
    """A number from text.

    Raises:
      ValueError: it is none of this kind; the error begins with `where`.
    """
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(
            f"{where}: expected a number ({kind.__name__}); got {text!r}"
        ) from error
