"""FBNet-A, -B, -C and others: the blocks that searches found, Ch. 7 §7."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network that the search found.

    Args:
      blocks: names of its 22 blocks.
      input_size: height and width of its images.
      width: see scaled().
      last_filters: channels of the last 1x1 convolution.
    """

    blocks: tuple[str, ...]
    input_size: int = 224
    width: float = 1.0
    last_filters: int = 1504


# A line for each searched row of Table 5. A, B, C and 96 are those of the
# authors' Caffe2 release, S8 and iPhoneX were read off Ch. 7 Fig. 7 by others.
_A = """
    skip
    k3_e3 k3_e1 skip skip
    k5_e6 k3_e3 k5_e1 k3_e3
    k5_e6 k5_e3 k3_e1_g2 k5_e6
    k3_e6 k3_e1_g2 k5_e3 k3_e1_g2
    k5_e6 k5_e6 k5_e3 k5_e6
    k5_e6
"""
_B = """
    k3_e1
    k3_e6 k5_e1 k3_e1 k3_e1
    k5_e6 k5_e3 k3_e6 k3x2sep_e6
    k5_e6 k5_e1 skip k5_e3
    k5_e6 k3_e1 k5_e1 k5_e3
    k5_e6 k5_e1 k5_e6 k5_e6
    k3_e6
"""
_C = """
    k3_e1
    k3_e6 skip k3_e1 k3_e1
    k5_e6 k5_e3 k3x2sep_e6 k3_e6
    k5_e6 k5_e3 k5_e6 k5_e6
    k5_e6 k3x2sep_e6 k5_e6 k5_e3
    k5_e6 k5_e6 k5_e6 k5_e6
    k3_e6
"""
_96 = """
    k3_e1
    k3_e6 k3_e6 skip skip
    k5_e6 k5_e6 skip skip
    k5_e6 skip skip skip
    k3_e6 skip skip skip
    k5_e6 k5_e6 skip skip
    k5_e6
"""
_S8 = """
    k3_e1
    k3_e3 k3_e1 skip skip
    k5_e6 k3_e3 k3_e3 k3_e6
    k5_e6 k5_e3 k5_e3 k5_e3
    k3_e6 k5_e3 k5_e3 k5_e3
    k5_e6 k5_e6 k5_e3 k5_e6
    k5_e6
"""
_IPHONE_X = """
    skip
    k3_e6 k3_e1 k3_e1 k3_e1
    k3_e6 k3_e6 k3_e6 k3_e6
    k3_e6 k3_e6 k3_e3 k3_e6
    k3_e6 k3_e3 k3_e3 k3_e3
    k5_e6 k5_e6 k5_e6 k5_e3
    k5_e6
"""
ARCHITECTURES = {
    "fbnet_a": Architecture(tuple(_A.split())),
    "fbnet_b": Architecture(tuple(_B.split()), last_filters=1984),
    "fbnet_c": Architecture(tuple(_C.split()), last_filters=1984),
    "fbnet_96_0.35_1": Architecture(tuple(_96.split()), 96, 0.35, 1416),
    "fbnet_s8": Architecture(tuple(_S8.split())),
    "fbnet_iphonex": Architecture(tuple(_IPHONE_X.split())),
}
