"""Agreement of outputs by hand."""

import numpy as np
from absl.testing import absltest

from tools.synetgy import agreement


class AgreementTest(absltest.TestCase):
    def test_by_hand(self):
        first = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 5.0]])
        second = np.array([[1.0, 2.0], [3.0, 1.5], [6.0, 5.0]])
        found = agreement.compare(first, second)
        self.assertEqual(found, agreement.Agreement(3, 1, 2, 6.0))
        self.assertIn("of 3 images 1 have equal", str(found))

    def test_all_networks_see_all_images(self):
        batches = [
            (np.ones((2, 3)), np.array([0, 1])),
            (np.full((1, 3), 2.0), np.array([2])),
        ]
        networks = {"same": lambda x: x, "twice": lambda x: 2 * x}
        found, ids = agreement.outputs(networks, batches)
        self.assertEqual(found["same"].tolist(), [[1] * 3, [1] * 3, [2] * 3])
        self.assertEqual(found["twice"].tolist(), [[2] * 3, [2] * 3, [4] * 3])
        self.assertEqual(ids.tolist(), [0, 1, 2])
        _, ids = agreement.outputs(networks, [(np.ones((1, 1)), None)])
        self.assertIsNone(ids)

    def test_no_images_are_refused(self):
        with self.assertRaisesRegex(ValueError, "no images to run"):
            agreement.outputs({"same": lambda x: x}, [])


if __name__ == "__main__":
    absltest.main()
