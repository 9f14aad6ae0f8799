"""LAS and LAZ files (ASPRS LAS 1.4), sizes checked before unpacking."""

import os
import pathlib
import struct
from collections.abc import Sequence

import laspy
import numpy as np

_FULL_SCALE = 65535.0  # LAS 1.4 R15 §2.4: intensity is an unsigned short
_HEADER_SIZE = 227  # bytes up to LAS 1.2, later versions append to it
_VLR_HEADER_SIZE = 54  # bytes
# Ours: LASzip (Isenburg, 2013) leaves 7 to 25 % of real scans' bytes. More
# than a hundred times smaller is damage, for which lazrs asks the system for
# all the memory that the header promises and ends the process.
_MAX_LAZ_RATIO = 100
