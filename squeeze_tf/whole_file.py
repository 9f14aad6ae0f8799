"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


def write(
    path: str | os.PathLike, content: bytes | str, shared: bool = False
) -> None:
    """Writes a file; text is UTF-8. Arguments and errors as replacing()."""
    if isinstance(content, str):
        content = content.encode("utf-8")
    with replacing(path, shared) as scratch:
        scratch.write_bytes(content)


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike, shared: bool = False
) -> Iterator[pathlib.Path]:
    """A name beside `path` to write to, which becomes `path` at the end.

    After an error nothing is left of it, and `path` is as it was.

    Args:
      path: of the file; its folder must exist.
      shared: whether other processes may be writing the same file.

    Raises:
      OSError: the file cannot be written; the error names `path`.
    """
    path = pathlib.Path(path)
    owner = f".{os.getpid()}" if shared else ""
    scratch = path.with_name(f"{path.name}{owner}.tmp")
    try:
        yield scratch
        os.replace(scratch, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(scratch)):
            raise  # about something else
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        scratch.unlink(missing_ok=True)
