"""Augmentations: what they keep, what they change, and their seeds."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import augmentation

ROWS, COLUMNS = 8, 32
FULL_TURN = spherical.Projection(ROWS, COLUMNS, 10.0, -30.0, 180.0, -180.0)
SEED = tf.constant([3, 4], tf.int64)


def sample(seed=0, empty=0.2):
    """A scan whose intensity is a number of its own for each cell.

    The label is the intensity's last digit, so that a label which leaves its
    point shows.
    """
    random = np.random.default_rng(seed)
    zenith = np.radians(10 - (np.arange(ROWS) + 0.5) * 40 / ROWS)[:, None]
    azimuth = np.pi - (np.arange(COLUMNS) + 0.5) * 2 * np.pi / COLUMNS
    distance = random.uniform(3, 30, (ROWS, COLUMNS))
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) + 1000 * seed
    mask = random.random((ROWS, COLUMNS)) >= empty
    grid = np.stack(
        [
            distance * np.cos(zenith) * np.cos(azimuth),
            distance * np.cos(zenith) * np.sin(azimuth),
            distance * np.sin(zenith) * np.ones_like(azimuth),
            number,
            distance,
        ],
        axis=-1,
    )
    return {
        "grid": tf.constant(grid * mask[..., None], tf.float32),
        "mask": tf.constant(mask),
        "label_ids": tf.constant(number % 10 * mask, tf.int32),
    }


def arrays(scan):
    return {name: np.array(value) for name, value in scan.items()}


def every_change(seed=SEED, **changes):
    settings = augmentation.Augmentation(
        flip=True,
        roll=True,
        drop=0.3,
        scale=0.1,
        mix=0.9,
        paste_ids=(1, 2),
    )
    settings = dataclasses.replace(settings, **changes)
    return arrays(
        augmentation.augment(sample(0), sample(1), seed, settings, FULL_TURN)
    )


def assert_equal(one, other):
    for name in other:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


class GeometryTest(parameterized.TestCase):
    def test_flip_twice_is_the_identity(self):
        once = augmentation.flip(sample())
        twice = augmentation.flip(once)
        assert_equal(arrays(twice), arrays(sample()))
        self.assertFalse(np.array_equal(once["grid"], sample()["grid"]))

    @parameterized.parameters(0, 1, 7, 31)
    def test_moved_points_project_to_the_cells_they_are_in(self, columns):
        for moved in (
            augmentation.roll(sample(), tf.constant(columns)),
            augmentation.roll(
                augmentation.flip(sample()), tf.constant(columns)
            ),
        ):
            moved = arrays(moved)
            at = np.nonzero(moved["mask"])
            rows, got = spherical.cells(moved["grid"][at][:, :3], FULL_TURN)
            np.testing.assert_array_equal(rows, at[0])
            np.testing.assert_array_equal(got, at[1])

    def test_roll_moves_cells_to_the_right_and_keeps_ranges(self):
        before, after = sample(), augmentation.roll(sample(), tf.constant(5))
        for channel in (2, 3, 4):  # z, intensity, range
            np.testing.assert_array_equal(
                after["grid"][..., channel],
                np.roll(before["grid"][..., channel], 5, axis=1),
            )
        norm = np.linalg.norm(after["grid"][..., :3], axis=-1)
        np.testing.assert_allclose(norm, after["grid"][..., 4], rtol=1e-5)

    def test_roll_by_the_whole_width_and_back_is_the_identity(self):
        turned = augmentation.roll(sample(), tf.constant(11))
        back = augmentation.roll(turned, tf.constant(COLUMNS - 11))
        np.testing.assert_allclose(back["grid"], sample()["grid"], atol=1e-4)
        np.testing.assert_array_equal(back["mask"], sample()["mask"])

    def test_rescale_changes_lengths_alone(self):
        before = sample()["grid"].numpy()
        after = augmentation.rescale(sample(), tf.constant(1.5))["grid"].numpy()
        np.testing.assert_allclose(after[..., :3], 1.5 * before[..., :3])
        np.testing.assert_array_equal(after[..., 3], before[..., 3])
        norm = np.linalg.norm(after[..., :3], axis=-1)
        np.testing.assert_allclose(norm, after[..., 4], rtol=1e-5)


class DropTest(absltest.TestCase):
    def test_rate_is_uniform_up_to_the_largest(self):
        rates = []
        for i in range(200):
            dropped = augmentation.drop_returns(
                sample(empty=0), tf.constant([i, 0]), 0.4
            )
            rates.append(1 - np.mean(dropped["mask"]))
        # Uniform on [0, 0.4]: mean 0.2, deviation 0.4 / sqrt(12) = 0.115; a
        # binomial of 256 cells adds 0.025 to a single rate.
        self.assertAlmostEqual(np.mean(rates), 0.2, delta=4 * 0.12 / 200**0.5)
        self.assertAlmostEqual(np.std(rates), 0.118, delta=0.02)
        self.assertLess(max(rates), 0.4 + 4 * 0.031)

    def test_dropped_cells_are_empty_and_others_untouched(self):
        before = arrays(sample())
        after = arrays(
            augmentation.drop_returns(sample(), tf.constant([1, 2]), 0.9)
        )
        self.assertLess(after["mask"].sum(), before["mask"].sum())
        for name in before:
            kept = after[name][after["mask"]]
            np.testing.assert_array_equal(kept, before[name][after["mask"]])
            self.assertFalse(after[name][~after["mask"]].any())


class MixTest(parameterized.TestCase):
    @parameterized.parameters(
        (augmentation.swap_sector, 0), (augmentation.swap_rows, 1)
    )
    def test_each_cell_comes_from_one_scan_as_a_whole(self, swap, axis):
        one, other = arrays(sample(0, empty=0)), arrays(sample(1, empty=0))
        shares = []
        for seed in range(40):
            got = arrays(
                swap(
                    sample(0, empty=0),
                    sample(1, empty=0),
                    tf.constant([seed, 1]),
                )
            )
            taken = got["grid"][..., 3] >= 1000  # intensities of `other`
            for name in one:
                np.testing.assert_array_equal(
                    got[name][taken], other[name][taken]
                )
                np.testing.assert_array_equal(
                    got[name][~taken], one[name][~taken]
                )
            lines = taken.all(axis=axis)  # whole columns, or whole rows
            np.testing.assert_array_equal(lines, taken.any(axis=axis))
            borders = np.count_nonzero(lines != np.roll(lines, 1))
            self.assertIn(borders, (0, 2))  # one connected range, cyclic
            shares.append(lines.mean())
        self.assertLess(max(shares), 0.5)
        self.assertGreater(max(shares), 0.3)

    def test_paste_takes_what_is_in_front(self):
        one, other = arrays(sample(0)), arrays(sample(1, empty=0.7))
        got = arrays(augmentation.paste(sample(0), sample(1, empty=0.7)))
        sources = set()
        for row, column in np.ndindex(ROWS, COLUMNS):
            cell = row, column
            around = np.s_[
                max(row - 1, 0) : row + 2, max(column - 2, 0) : column + 3
            ]
            limit = one["grid"][cell][4]
            if not one["mask"][cell]:
                limit = one["grid"][around][..., 4][one["mask"][around]].min()
            front = other["mask"][cell] and other["grid"][cell][4] < limit
            source = other if front else one
            for name in got:
                np.testing.assert_array_equal(
                    got[name][cell], source[name][cell]
                )
            sources.add((bool(front), bool(one["mask"][cell])))
        self.assertLen(sources, 4)

    def test_paste_fills_where_nothing_is_around(self):
        nothing = {name: 0 * value for name, value in arrays(sample()).items()}
        nothing["mask"] = nothing["mask"].astype(bool)
        got = augmentation.paste(nothing, sample(1))
        assert_equal(arrays(got), arrays(sample(1)))


class AugmentTest(parameterized.TestCase):
    def test_default_changes_nothing(self):
        got = augmentation.augment(
            sample(0), sample(1), SEED, augmentation.Augmentation()
        )
        assert_equal(arrays(got), arrays(sample(0)))

    def test_equal_seeds_give_equal_scans_and_others_do_not(self):
        assert_equal(every_change(), every_change())
        other = every_change(seed=tf.constant([3, 5], tf.int64))
        self.assertFalse(np.array_equal(other["grid"], every_change()["grid"]))

    def test_labels_stay_with_their_points_through_everything(self):
        flipped = set()
        for seed in range(30):
            got = every_change(seed=tf.constant([seed, 0], tf.int64))
            number = got["grid"][..., 3]
            np.testing.assert_array_equal(
                got["label_ids"][got["mask"]], number[got["mask"]] % 10
            )
            np.testing.assert_array_equal(got["mask"], got["grid"][..., 4] > 0)
            self.assertFalse(got["grid"][~got["mask"]].any())
            norm = np.linalg.norm(got["grid"][..., :3], axis=-1)
            np.testing.assert_allclose(
                norm, got["grid"][..., 4], rtol=1e-4, atol=1e-4
            )
            at = np.nonzero(got["mask"])
            rows, columns = spherical.cells(got["grid"][at][:, :3], FULL_TURN)
            np.testing.assert_array_equal(rows, at[0])
            np.testing.assert_array_equal(columns, at[1])
            steps = np.diff(number)
            flipped.add((steps == -1).sum() > (steps == 1).sum())
        self.assertEqual(flipped, {True, False})

    def test_mix_is_the_share_of_scans_that_take_from_another(self):
        settings = augmentation.Augmentation(mix=0.5)
        sectors, bands = 0, 0
        for seed in range(200):
            got = augmentation.augment(
                sample(0, empty=0),
                sample(1, empty=0),
                tf.constant([seed, 0], tf.int64),
                settings,
            )
            taken = got["grid"].numpy()[..., 3] >= 1000
            sectors += taken.any() and taken.all(axis=0).any()
            bands += taken.any() and taken.all(axis=1).any()
        # A quarter each, 50 +- 6; of 8 rows a band of below one row is none,
        # which befalls a quarter of the bands, and a 16th of the sectors.
        self.assertAlmostEqual(sectors, 50 * 15 / 16, delta=4 * 6)
        self.assertAlmostEqual(bands, 50 * 3 / 4, delta=4 * 6)

    @parameterized.parameters(("scale", 4), ("intensity", 3))
    def test_one_factor_within_the_spread_for_a_whole_scan(self, name, channel):
        settings = augmentation.Augmentation(**{name: 0.2})
        before, factors = arrays(sample()), []
        for seed in range(20):
            got = augmentation.augment(
                sample(), sample(1), tf.constant([seed, 9], tf.int64), settings
            )
            mask = before["mask"] & (before["grid"][..., 3] > 0)
            ratio = got["grid"].numpy()[mask] / before["grid"][mask]
            np.testing.assert_allclose(
                ratio[:, channel], ratio[0, channel], rtol=1e-5
            )
            unchanged = {"scale": [3], "intensity": [0, 1, 2, 4]}[name]
            np.testing.assert_array_equal(ratio[:, unchanged], 1)
            factors.append(ratio[0, channel])
        self.assertBetween(min(factors), 0.8, 0.9)
        self.assertBetween(max(factors), 1.1, 1.2)

    def test_pasting_without_a_projection_is_refused(self):
        settings = augmentation.Augmentation(paste_ids=(1,))
        with self.assertRaisesRegex(ValueError, "projection"):
            augmentation.augment(sample(0), sample(1), SEED, settings)

    def test_the_same_inside_a_dataset(self):
        settings = augmentation.Augmentation(flip=True, roll=True, mix=1.0)
        data = tf.data.Dataset.from_tensors((sample(0), sample(1))).map(
            lambda one, other: augmentation.augment(one, other, SEED, settings)
        )
        (mapped,) = data.as_numpy_iterator()
        direct = augmentation.augment(sample(0), sample(1), SEED, settings)
        for name, value in arrays(direct).items():
            np.testing.assert_allclose(mapped[name], value, atol=1e-5)


if __name__ == "__main__":
    absltest.main()
