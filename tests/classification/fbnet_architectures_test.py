"""Lists of blocks: one for each layer, all of them known, Fig. 7's skips."""

from absl.testing import absltest, parameterized

from squeeze_tf.classification import fbnet, fbnet_architectures

ARCHITECTURES = fbnet_architectures.ARCHITECTURES


class ArchitecturesTest(parameterized.TestCase):
    @parameterized.parameters(*ARCHITECTURES)
    def test_has_a_known_block_for_each_layer(self, name):
        blocks = ARCHITECTURES[name].blocks
        self.assertLen(blocks, len(fbnet.searched_layers()))
        fbnet.check_kinds(name, blocks)

    def test_the_smallest_skips_the_most(self):
        # Ch. 7 §7.2: many layers of FBNet-96-0.35-1 are skipped.
        skips = {
            name: found.blocks.count("skip")
            for name, found in ARCHITECTURES.items()
        }
        self.assertEqual(max(skips, key=skips.get), "fbnet_96_0.35_1")

    def test_s8_has_more_large_kernels_than_iphonex(self):
        # Ch. 7 §7.3: FBNet-iPhoneX has 5x5 kernels in the last two stages only.
        s8, iphonex = (
            [block[:2] == "k5" for block in ARCHITECTURES[name].blocks]
            for name in ("fbnet_s8", "fbnet_iphonex")
        )
        self.assertGreater(sum(s8), sum(iphonex))
        self.assertFalse(any(iphonex[:17]))


if __name__ == "__main__":
    absltest.main()
