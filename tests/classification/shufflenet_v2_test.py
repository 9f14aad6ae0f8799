"""ShuffleNetV2: counts of Ch. 6 Table 11 and of the reference."""

import re

from absl.testing import absltest, parameterized

from squeeze_tf.classification import shufflenet_v2
from tests.classification import counts


class CountsTest(parameterized.TestCase):
    def test_every_layer_is_the_reference_s(self):
        model = shufflenet_v2.shufflenet_v2()
        found = counts.reference("ShuffleNetV2-1.0x")
        self.assertEqual(counts.trained(model), found["params"])
        ours = counts.layers(model)
        # Ch. 6 Table 11 quotes 146M from the paper.
        self.assertEqual(sum(ours.values()), found["macs"])
        self.assertAlmostEqual(found["macs"] / 146e6, 0.9925, places=4)
        names = {"shortcut.0": "skip1", "shortcut.2": "skip2"}
        theirs = {}
        for key, macs in counts.reference_layers(found).items():
            match = re.fullmatch(r"layer(\d)\.(\d)\.(.*)", key)
            if match:
                stage, i, layer = match.groups()
                key = f"stage{int(stage) + 1}_{i}_{names.get(layer, layer)}"
            theirs[key] = macs
        self.assertEqual(sorted(theirs.values()), sorted(ours.values()))
        for key in theirs.keys() & ours.keys():
            self.assertEqual(ours[key], theirs[key])
        self.assertGreater(len(theirs.keys() & ours.keys()), 50)

    @parameterized.parameters((0.5, 1.4, 41), (1.5, 3.5, 299), (2.0, 7.4, 591))
    def test_other_widths_are_those_of_the_paper(self, width, params, macs):
        # Table 8 of the paper; its MACs are of 224 x 224 images.
        model = shufflenet_v2.shufflenet_v2(width=width)
        self.assertEqual(round(counts.trained(model) / 1e6, 1), params)
        self.assertAlmostEqual(counts.macs(model) / 1e6 / macs, 1, delta=0.02)

    def test_another_width_is_refused(self):
        with self.assertRaisesRegex(ValueError, "width must be one of"):
            shufflenet_v2.shufflenet_v2(width=3)


if __name__ == "__main__":
    absltest.main()
