"""PCD files (Point Cloud Library), every encoding, as columns by name."""

import io
import os
import pathlib

import numpy as np
import pypcd4

# An LZF reference of 3 bytes stands for 264 at most; more points than that
# are damage, for which NumPy would make room.
_MAX_RATIO = 88
_PER_FIELD = (b"FIELDS", b"SIZE", b"TYPE", b"COUNT")


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the fields of a PCD file, ASCII, binary or binary_compressed.

    Fields of COUNT 0 take no bytes and padding fields (named _) are left
    out. Bytes after the last point are allowed: some writers pad the file.

    Source: The PCD file format 0.7, pointclouds.org.

    Args:
      path: the file.

    Returns:
      Field name to [N] of the file's type, for fields of COUNT 1.

    Raises:
      ValueError: the header cannot be understood or points are missing;
        the message names the file.
      OSError: the file cannot be read.
    """
    content = pathlib.Path(path).read_bytes()
    header, body = _split(path, content)
    try:
        metadata = _metadata(header, len(content))
    except Exception as error:  # damage shows anywhere in the parser
        raise ValueError(f"{path}: PCD header not understood: {error}") from (
            error
        )
    if metadata.data == pypcd4.Encoding.ASCII:
        body = b"\n".join(b" ".join(line.split()) for line in body.split(b"\n"))
    elif metadata.data == pypcd4.Encoding.BINARY:
        record = metadata.build_dtype().itemsize
        needed = metadata.points * record
        if len(body) < needed:
            raise ValueError(
                f"{path}: {metadata.points} points of {record} bytes need "
                f"{needed} bytes after the header; got {len(body)}"
            )
    try:
        cloud = pypcd4.PointCloud.from_fileobj(
            io.BytesIO(b"\n".join(header) + b"\n" + body)
        )
    except Exception as error:
        raise ValueError(f"{path}: PCD points not understood: {error}") from (
            error
        )
    columns = np.atleast_1d(cloud.pc_data)
    if len(columns) != metadata.points:
        raise ValueError(
            f"{path}: the header promises {metadata.points} points; "
            f"got {len(columns)}"
        )
    return {
        name: columns[name]
        for name, count in zip(metadata.fields, metadata.count)
        if count == 1 and not name.startswith("#")
    }


def _metadata(header: list[bytes], file_size: int) -> pypcd4.MetaData:
    """The parsed header; refuses more points than the file can hold."""
    metadata = pypcd4.MetaData.parse_header(
        [line.decode("ascii") for line in header]
    )
    if sum(metadata.count) > file_size:
        raise ValueError(f"{sum(metadata.count)} values for each point")
    record = metadata.build_dtype().itemsize
    fits = metadata.points * record <= _MAX_RATIO * file_size
    if record == 0 or metadata.points < 0 or not fits:
        raise ValueError(
            f"{metadata.points} points of {record} bytes in a file of "
            f"{file_size} bytes"
        )
    return metadata


def _split(
    path: str | os.PathLike, content: bytes
) -> tuple[list[bytes], bytes]:
    """Header lines without fields of COUNT 0, and what follows them."""
    lines: dict[bytes, list[bytes]] = {}
    position = 0
    while b"DATA" not in lines:
        end = content.find(b"\n", position)
        if end < 0:
            raise ValueError(
                f"{path}: expected a PCD header ending in a DATA line; "
                f"got {len(content)} bytes without one"
            )
        words = content[position:end].split()
        position = end + 1
        if words and not words[0].startswith(b"#"):
            lines[words[0]] = words
    kept = [True] * len(lines.get(b"FIELDS", []))
    for index, count in enumerate(lines.get(b"COUNT", [])[: len(kept)]):
        kept[index] = count != b"0"  # index 0 is the word COUNT itself
    header = [
        b" ".join(
            [word for word, keep in zip(words, kept) if keep]
            if name in _PER_FIELD and len(words) == len(kept)
            else words
        )
        for name, words in lines.items()
    ]
    return header, content[position:]
