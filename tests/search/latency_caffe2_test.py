"""The released table's form, against lines and sums written by hand."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.search import (
    fbnet_space,
    latency_caffe2,
    latency_costs,
    space,
)
from tests.search import spaces

KINDS = ("k3_e1", "k5_e3", "k3_e1_g2", "skip")


def argument(name, value):
    """As Caffe2 prints it."""
    if isinstance(value, str):
        return f'name: "{name}"\ns: "{value}"\n'
    return f'name: "{name}"\ni: {value}\n'


def line(op_type, time, shapes, **changes):
    """A record; other percentiles follow from the median."""
    fields = ("kernel", "stride", "pad", "group")
    values = {name: changes.pop(name) for name in fields if name in changes}
    if values or op_type.startswith("Int8Sum"):
        values["order"] = "NHWC"
    record = {
        "op_type": op_type,
        "op_args": [argument(*x) for x in sorted(values.items())],
        "input_shapes": shapes,
        "input_dtypes": [3] * len(shapes),
        "device": "SM-G950U-7.0-24",
    }
    for i, percentile in enumerate(("p0", "p10", "p50", "p90", "p100")):
        record[f"runtime_us_{percentile}"] = time + 10.0 * (i - 2)
    return record | changes


def convolution(time, size, inputs, outputs, kernel, stride=1, group=1, **more):
    """Int8ConvRelu; size, inputs and outputs are maps and channels."""
    groups = {"group": group} if group > 1 else {}
    return line(
        more.pop("op_type", "Int8ConvRelu"),
        time,
        [
            [1, size, size, inputs],
            [outputs, kernel, kernel, inputs // group],
            [outputs],
        ],
        kernel=kernel,
        stride=stride,
        pad=kernel // 2,
        **groups,
        **more,
    )


# The first five as the README of runtime_lut prints them, of ChamNet-A, whose
# first layers FBNet has when twice as wide; the rest is made up.
LINES = [
    line("NCHW2NHWC", 276, [[1, 3, 224, 224]]),
    line("Int8Quantize", 127, [[1, 224, 224, 3]]),
    convolution(960, 224, 3, 32, 3, stride=2),
    convolution(674, 112, 32, 32, 1),
    convolution(363, 112, 32, 32, 3, group=32),
    line("Int8Sum", 100, [[1, 112, 112, 32]] * 2),
    # k5_e3 from 32 channels to 48, stride 2.
    convolution(1001, 112, 32, 96, 1),
    convolution(302, 112, 96, 96, 5, stride=2, group=96),
    convolution(203, 56, 96, 48, 1, op_type="Int8Conv"),
]
FIRST = "first 224x224x3 112x112x32"


class ReadTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.space = fbnet_space.fbnet_space(width=2.0, kinds=KINDS)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "lut.json"

    def read(self, lines, of=None):
        self.path.write_text("\n".join(map(json.dumps, lines)) + "\n")
        return latency_caffe2.read_facebook(self.path, of or self.space)

    def test_blocks_are_the_sums_of_their_operators(self):
        table = self.read(LINES)
        self.assertEqual(
            {key: entry.p50 for key, entry in table.entries.items()},
            {
                FIRST: 276 + 127 + 960,
                # Int8ConvRelu stands in for the last Int8Conv.
                "k3_e1 112x112x32 112x112x32": 674 + 363 + 674 + 100,
                "k5_e3 112x112x32 56x56x48": 1001 + 302 + 203,
            },
        )
        first = table.entries[FIRST]
        self.assertEqual((first.p0, first.p90), (1363 - 60, 1363 + 30))
        self.assertIsNone(first.mean)
        self.assertEqual(table.name, "SM-G950U-7.0-24")
        self.assertEqual(table.batch_size, 1)

    def test_what_is_missing_is_found_by_who_looks_costs_up(self):
        with self.assertRaises(ValueError) as caught:
            latency_costs.costs(self.read(LINES), self.space)
        # Layers are of 12 shapes, each with 4 candidates; 2 of them are
        # in the table, and 6 skips do nothing.
        self.assertIn("lacks 40 operators", str(caught.exception))
        self.assertIn("k5_e3 112x112x32 112x112x32", str(caught.exception))
        self.assertNotIn("skip 112x112x32 112", str(caught.exception))

    def test_equal_records_are_averaged_and_scales_do_not_count(self):
        again = convolution(980, 224, 3, 32, 3, stride=2)
        again["op_args"] += [
            'name: "Y_scale"\nf: 0.165592511275\n',
            argument("Y_zero_point", 0),
            argument("ws_nbytes_limit", 268435456),
        ]
        table = self.read([*LINES, again])
        self.assertEqual(table.entries[FIRST].p50, 276 + 127 + 970)

    def test_records_that_differ_in_their_types_alone_are_refused(self):
        again = convolution(980, 224, 3, 32, 3, 2, input_dtypes=[1, 1, 1])
        with self.assertRaisesRegex(ValueError, "lut.json.*input_dtypes alone"):
            self.read([*LINES, again])

    @parameterized.parameters(
        ({"device": "phone"}, r"one device; got \['SM-G950U-7.0-24', 'phone'"),
        ({"op_args": ["kernel: 3"]}, "line 10, .*'kernel: 3' is not underst"),
        ({"input_shapes": [3]}, "line 10, must be"),
        ({"runtime_us_p50": None}, "line 10, must be"),
    )
    def test_lines_of_another_form_are_refused(self, changes, message):
        with self.assertRaisesRegex(ValueError, f"lut.json.*{message}"):
            self.read([*LINES, LINES[0] | changes])

    def test_lines_without_a_field_or_object_are_refused(self):
        short = {k: v for k, v in LINES[0].items() if k != "runtime_us_p90"}
        for bad in (short, 3, []):
            with self.assertRaisesRegex(ValueError, "line 1, must be"):
                self.read([bad, *LINES])
        with self.assertRaisesRegex(ValueError, "one device; got"):
            self.read([])

    def test_times_that_cannot_be_true_name_the_operator(self):
        bad = LINES[0] | {"runtime_us_p0": -2000.0}
        with self.assertRaisesRegex(ValueError, f"lut.json: entry '{FIRST}'"):
            self.read([bad, *LINES[1:]])

    def test_another_space_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, "candidates must be among k3_e1"
        ):
            self.read(LINES, spaces.small())


class CallsTest(absltest.TestCase):
    """Against model.pbtxt of the released FBNet-A."""

    def calls(self, kind, source, target):
        operator = space.Operator(kind, source, target)
        return [
            (call.op_type, dict(call.arguments), list(call.shapes))
            for call in latency_caffe2.calls(operator, 1504)
        ]

    def test_groups_are_shuffled_behind_the_first_convolution(self):
        found = self.calls("k3_e1_g2", (14, 14, 64), (14, 14, 64))
        order = {"order": "NHWC"}
        one = order | {"kernel": "1", "stride": "1", "pad": "0", "group": "2"}
        x = (1, 14, 14, 64)
        self.assertEqual(
            found,
            [
                ("Int8ConvRelu", one, [x, (64, 1, 1, 32), (64,)]),
                (
                    "Int8ChannelShuffle",
                    order | {"kernel": "1", "group": "2"},
                    [x],
                ),
                (
                    "Int8ConvRelu",
                    order
                    | {"kernel": "3", "stride": "1", "pad": "1", "group": "64"},
                    [x, (64, 3, 3, 1), (64,)],
                ),
                ("Int8Conv", one, [x, (64, 1, 1, 32), (64,)]),
                ("Int8Sum", order, [x, x]),
            ],
        )

    def test_the_end_pools_classifies_and_gives_floats(self):
        found = self.calls(space.LAST, (7, 7, 352), (1000,))
        self.assertEqual(
            [call[0] for call in found],
            [
                "Int8ConvRelu",
                "Int8AveragePool",
                "Int8FC",
                "Int8Softmax",
                "Int8Dequantize",
            ],
        )
        self.assertEqual(
            found[1][1:],
            (
                {"kernel": "7", "order": "NHWC", "stride": "1"},
                [(1, 7, 7, 1504)],
            ),
        )
        self.assertEqual(found[2][2], [(1504,), (1000, 1504), (1000,)])

    def test_two_depthwise_convolutions_shrink_once(self):
        found = self.calls("k3x2sep_e6", (28, 28, 32), (14, 14, 64))
        strides = [call[1].get("stride") for call in found]
        self.assertEqual(strides, ["1", "2", "1", "1"])
        self.assertEqual(found[2][2][0], (1, 14, 14, 192))

    def test_skips_are_nothing_or_a_convolution(self):
        self.assertEmpty(self.calls("skip", (7, 7, 184), (7, 7, 184)))
        ((kind, arguments, shapes),) = self.calls(
            "skip", (14, 14, 112), (7, 7, 184)
        )
        self.assertEqual((kind, arguments["stride"]), ("Int8ConvRelu", "2"))
        self.assertEqual(shapes[1], (184, 1, 1, 112))

    def test_macs_of_all_convolutions_are_fbnet_as(self):
        found = fbnet_space.fbnet_space(last_filters=1504)
        a = """skip k3_e3 k3_e1 skip skip k5_e6 k3_e3 k5_e1 k3_e3 k5_e6 k5_e3
        k3_e1_g2 k5_e6 k3_e6 k3_e1_g2 k5_e3 k3_e1_g2 k5_e6 k5_e6 k5_e3 k5_e6
        k5_e6""".split()
        operators = [
            next(x for x in row if x.kind == kind)
            for row, kind in zip(space.operators(found), a, strict=True)
        ]
        macs = 0
        for operator in [*operators, *space.ends(found)]:
            for call in latency_caffe2.calls(operator, 1504):
                if call.op_type.startswith("Int8Conv"):
                    stride = int(dict(call.arguments)["stride"])
                    _, height, width, _ = call.shapes[0]
                    pixels = -(-height // stride) * -(-width // stride)
                    macs += pixels * int(np.prod(call.shapes[1]))
                if call.op_type == "Int8FC":
                    macs += int(np.prod(call.shapes[1]))
        self.assertAlmostEqual(macs / 1e6, 249.37, places=2)


if __name__ == "__main__":
    absltest.main()
