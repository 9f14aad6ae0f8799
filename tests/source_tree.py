"""Walks the files of the repository, leaving out whatever was made here."""

import pathlib
import re
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("squeeze_tf", "experiments", "tools", "tests")
_MADE_HERE = re.compile(
    r"\.git|\.venv|\.bazel-.*|\.bazelrc\.user.*|\..*cache|\.benchmarks"
    r"|__pycache__|.*\.egg-info|build|demo|dist|node_modules|runs"
)


def files(folder: pathlib.Path = ROOT) -> Iterator[pathlib.Path]:
    """Every file in and below a folder that belongs to the repository."""
    for path in sorted(folder.iterdir()):
        if _MADE_HERE.fullmatch(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def python_files(*packages: str) -> Iterator[tuple[str, str]]:
    """Path relative to the repository, and text, of each Python file."""
    for package in packages or PACKAGES:
        for path in files(ROOT / package):
            if path.suffix == ".py":
                yield path.relative_to(ROOT).as_posix(), path.read_text()


def folders() -> list[str]:
    """Relative path of each folder that holds Python files."""
    return sorted({path.rsplit("/", 1)[0] for path, _ in python_files()})
