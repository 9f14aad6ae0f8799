"""Offset tables against the released operators' and the thesis's counts."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.ops import shift_offsets
from tests import shared_files

_VECTORS = "reference/architectures/vectors"


class ShiftOffsetsTest(parameterized.TestCase):
    def test_equals_the_released_tables(self):
        found = np.load(shared_files.path(f"{_VECTORS}/shift_modulo.npz"))
        for case in range(9):
            k, d, c = found[f"kdchw{case}"][:3]
            np.testing.assert_array_equal(
                shift_offsets.interleaved(c, k, d),
                found[f"offsets_modulo{case}"],
            )
        found = np.load(shared_files.path(f"{_VECTORS}/shift_contiguous.npz"))
        for case in (0, 1, 2, 4, 5, 6, 8):
            table = found[f"offsets{case}"]
            np.testing.assert_array_equal(
                shift_offsets.contiguous(len(table), found[f"k{case}"]), table
            )
        found = np.load(shared_files.path(f"{_VECTORS}/shift_dirac.npz"))
        for case in range(4):
            table = found[f"offsets{case}"]
            np.testing.assert_array_equal(
                shift_offsets.cardinal(len(table)), table
            )

    @parameterized.product(
        convention=("interleaved", "contiguous"),
        channels=(1, 8, 9, 25, 70, 100),
        kernel_size=(1, 3, 5, 7),
        dilation_rate=(1, 2),
    )
    def test_every_direction_has_its_group(
        self, convention, channels, kernel_size, dilation_rate
    ):
        # Ch. 6 §2.2: floor(C / K²) channels each, what remains in the centre.
        table = shift_offsets.CONVENTIONS[convention](
            channels, kernel_size, dilation_rate
        )
        rows, counts = np.unique(table, axis=0, return_counts=True)
        group, rest = divmod(channels, kernel_size**2)
        for row, count in zip(rows, counts):
            stays = not row.any()
            self.assertEqual(count, group + rest * stays)
            self.assertTrue((row % dilation_rate == 0).all())
            reach = dilation_rate * (kernel_size // 2)
            self.assertLessEqual(np.abs(row).max(), reach)
        if group:
            self.assertLen(rows, kernel_size**2)

    @parameterized.parameters(
        ("interleaved", (0, 3, 1), "at least 1; got 0, 1"),
        ("contiguous", (4, 3, 0), "at least 1; got 4, 0"),
        ("interleaved", (4, 2, 1), "odd and positive; got 2"),
        ("contiguous", (4, -1, 1), "odd and positive; got -1"),
        ("cardinal", (4, 5, 1), "one pixel, kernel_size 3; got 5"),
    )
    def test_bad_arguments_are_refused(self, convention, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            shift_offsets.CONVENTIONS[convention](*arguments)


if __name__ == "__main__":
    absltest.main()
