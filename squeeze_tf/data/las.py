"""LAS and LAZ files (ASPRS), sizes checked before anything is unpacked."""

import io
import os
import pathlib
import struct
from collections.abc import Collection

import laspy
import lazrs
import numpy as np

INTENSITY_SCALE = 65535.0  # LAS 1.4 R15 §2.4: an unsigned short
_MIN_HEADER_BYTES = 227  # of LAS 1.2, the oldest in use
_VLR_BYTES, _EVLR_BYTES = 54, 60  # of an empty one, LAS 1.4 R15 §2.5 and 2.7
# Ours: LASzip leaves 7 to 25 % of the bytes of real scans (Isenburg, 2013),
# so a thousand times smaller is damage.
_MAX_LAZ_RATIO = 1000
_LAYERED_POINT = 10  # type POINT14 of LASzip
_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}  # of a type; type 14 has one a byte


def read(
    path: str | os.PathLike, names: Collection[str]
) -> dict[str, np.ndarray]:
    """Reads dimensions of a LAS or LAZ file.

    Damaged counts and sizes are refused first: lazrs asks the system for as
    much memory as they promise, and ends the process if there is not enough.

    Args:
      path: the file.
      names: dimensions to return besides x, y and z, where the file has them.

    Returns:
      Dimension name to [N], x, y and z float64 in metres.

    Raises:
      ValueError: the file cannot be understood or is not whole; the message
        names the file.
      OSError: the file cannot be read.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        _check_records(content)
        # Of the two backends the one that does not trust the chunk sizes.
        with laspy.open(
            io.BytesIO(content), laz_backend=laspy.LazBackend.Lazrs
        ) as reader:
            _check_points(content, reader.header)
            cloud = reader.read()
        if len(cloud.points) != reader.header.point_count:
            raise ValueError(
                f"the header promises {reader.header.point_count} points; "
                f"got {len(cloud.points)}"
            )
        known = set(cloud.point_format.dimension_names)
        return {
            name: np.asarray(cloud[name])
            for name in ("x", "y", "z", *names)
            if name in ("x", "y", "z") or name in known
        }
    except BaseException as error:  # lazrs panics below BaseException alone
        is_panic = type(error).__module__ == "pyo3_runtime"
        if not isinstance(error, Exception) and not is_panic:
            raise
        raise ValueError(f"{path}: LAS not understood: {error}") from error


def _check_records(content: bytes) -> None:
    """Refuses counts of header records that the file is too short for."""
    if len(content) < _MIN_HEADER_BYTES:
        raise ValueError(
            f"expected a header of {_MIN_HEADER_BYTES} bytes or more; "
            f"got {len(content)} bytes"
        )
    start, num_vlrs = struct.unpack_from("<II", content, 96)
    needed = _MIN_HEADER_BYTES + num_vlrs * _VLR_BYTES
    if not needed <= start <= len(content):
        raise ValueError(
            f"{num_vlrs} records need {needed} bytes before the points; the "
            f"points start at byte {start} of {len(content)}"
        )
    minor = content[25]
    if minor < 4 or len(content) < 247:
        return
    (num_evlrs,) = struct.unpack_from("<I", content, 243)
    if num_evlrs * _EVLR_BYTES > len(content):
        raise ValueError(
            f"{num_evlrs} extended records need {num_evlrs * _EVLR_BYTES} "
            f"bytes; got {len(content)}"
        )


def _check_points(content: bytes, header: laspy.LasHeader) -> None:
    """Refuses counts of points that the file is too short for."""
    record = header.point_format.size
    available = len(content) - header.offset_to_point_data
    is_packed = header.are_points_compressed
    most = available * (_MAX_LAZ_RATIO if is_packed else 1)
    if header.point_count * record > most:
        raise ValueError(
            f"the header promises {header.point_count} points of {record} "
            f"bytes; got {available} bytes of points"
        )
    if is_packed and header.point_count:
        _check_chunks(content, header)


def _check_chunks(content: bytes, header: laspy.LasHeader) -> None:
    """Refuses a LASzip record or chunk table that cannot be true.

    Source: Isenburg, LASzip specification: the record's items (from byte 34)
    make up a point, and every chunk starts with a point as it is.
    """
    record = header.point_format.size
    laszip = header.vlrs[header.vlrs.index("LasZipVlr")].record_data
    (num_items,) = struct.unpack_from("<H", laszip, 32)
    items = struct.unpack_from(f"<{3 * num_items}H", laszip, 34)
    if sum(items[1::3]) != record:
        raise ValueError(
            f"expected LASzip items of {record} bytes in all; "
            f"got {list(items[1::3])}"
        )
    start = header.offset_to_point_data
    (table,) = struct.unpack_from("<q", content, start)
    if table <= start:  # a stream's table is found from the end of the file
        (table,) = struct.unpack_from("<q", content, len(content) - 8)
    if not start < table <= len(content) - 8:
        raise ValueError(
            f"expected a chunk table after byte {start} and before "
            f"{len(content)}; got {table}"
        )
    (num_chunks,) = struct.unpack_from("<I", content, table + 4)
    if num_chunks * record > len(content):
        raise ValueError(
            f"{num_chunks} chunks of a point of {record} bytes or more do not "
            f"fit into {len(content)} bytes"
        )
    # Items of types 10 to 14 come in layers, whose sizes follow the point.
    layers = sum(
        _LAYERS.get(kind, size) for kind, size in zip(items[::3], items[1::3])
    )
    if items[0] != _LAYERED_POINT:
        return
    stream = io.BytesIO(content)
    stream.seek(start)
    chunk = start + 8
    for _, num_bytes in lazrs.read_chunk_table(stream, lazrs.LazVlr(laszip)):
        sizes = struct.unpack_from(f"<{layers}I", content, chunk + record + 4)
        if sum(sizes) > num_bytes or chunk + num_bytes > len(content):
            raise ValueError(
                f"layers of {sum(sizes)} bytes in a chunk of {num_bytes}, in "
                f"a file of {len(content)} bytes"
            )
        chunk += num_bytes
