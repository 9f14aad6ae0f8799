import dataclasses
import tempfile

from absl.testing import absltest, parameterized

from squeeze_tf import config as config_lib
from squeeze_tf.classification import config, ladder
from tests.classification import counts


class ConfigTest(parameterized.TestCase):
    @parameterized.parameters(*config.CONFIGS)
    def test_every_named_setting_is_in_order(self, name):
        found = config.CONFIGS[name]
        config.check(found)
        self.assertIn(len(found.mean), (1, found.channels))
        self.assertIn(len(found.std), (1, found.channels))
        self.assertTrue(all(x < found.epochs for x in found.decay_epochs))

    def test_rows_of_tables_5_and_6_have_about_equal_parameters(self):
        kinds = {"resnet_module": "module", "resnet_net": "net"}
        kinds |= {"shift_resnet": "shift", "dw_resnet": "depthwise"}
        for depth in (20, 56, 110):
            for e in (1, 3, 6, 9):
                count = {}
                for name, kind in kinds.items():
                    row = config.CONFIGS[f"cifar100_{name}{depth}_{e}"]
                    self.assertEqual(row.depth, depth)
                    design = ladder.Design(
                        kind,
                        depth,
                        row.expansion,
                        row.reduction if kind != "shift" else 1.0,
                    )
                    count[kind] = ladder.parameters(design, 3, 10)
                for kind, number in count.items():
                    # "Within about 10 %" says the reference.
                    self.assertAlmostEqual(
                        number / count["shift"], 1, delta=0.1, msg=kind
                    )

    def test_reductions_are_the_reference_s(self):
        found = counts.reference("reductions")["r_from_readme"]
        for depth in (20, 56, 110):
            for e in (1, 3, 6, 9):
                row = found[str(depth)][str(e)]
                ours = {
                    rule: config.REDUCTIONS[rule][depth][e]
                    for rule in ("module", "net", "dw")
                }
                self.assertEqual(ours["dw"], row["dw"])
                self.assertEqual(
                    {ours["module"], ours["net"]}, set(row["conv"])
                )

    @parameterized.parameters(
        ("model=vgg", "model must be one of"),
        ("dataset=mnist", "dataset must be one of"),
        ("schedule=x", "schedule must be one of"),
        ("form=x", "form must be one of"),
        ("rule=x", "rule must be one of"),
        ("channels=4", "channels must be one of"),
        ("batch_size=0", "batch_size must be 1 or more"),
        ("epochs=0", "epochs must be 1 or more"),
        ("input_width=0", "input_width must be 1 or more"),
        ("min_crop=0", "min_crop must be above 0"),
        ("crop_share=1.5", "crop_share must be above 0"),
        ("validation_share=1", "validation_share must be 0 or more"),
        ("pad=-1", "pad must be 0 or more"),
        ("learning_rate=nan", "learning_rate must be 0 or more"),
    )
    def test_settings_that_make_no_sense_are_refused(self, setting, message):
        changed = config_lib.override(config.CONFIGS["smoke"], [setting])
        with self.assertRaisesRegex(ValueError, message):
            config.check(changed)

    def test_recipes_are_those_of_the_thesis(self):
        def recipe(name):
            row = config.CONFIGS[name]
            return {
                field: getattr(row, field)
                for field in (
                    *("batch_size", "epochs", "learning_rate", "schedule"),
                    *("decay_epochs", "decay_rate"),
                )
            }

        cifar = recipe("cifar10_shift_resnet20_1")  # Ch. 6 §3.1
        self.assertEqual(cifar["decay_epochs"], (82, 123))
        for iterations, epoch in zip((32_000, 48_000), (82, 123)):
            self.assertEqual(round(iterations / (50_000 / 128)), epoch)
        shiftnet = recipe("shiftnet_a")  # Ch. 6 §3.2
        self.assertEqual(
            tuple(shiftnet.values()), (2048, 90, 0.8, "steps", (30, 60), 0.1)
        )
        dirac = recipe("shufflenet_v2")  # Ch. 6 §4.2
        self.assertEqual(tuple(dirac.values())[:4], (1024, 90, 0.5, "linear"))
        self.assertEqual(config.CONFIGS["shufflenet_v2"].weight_decay, 4e-5)

    def test_settings_survive_their_file(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = f"{folder.name}/config.json"
        for name in ("digits_shift_resnet", "shiftnet_a"):
            config_lib.write(config.CONFIGS[name], path)
            self.assertEqual(
                config_lib.read(config.ClassificationConfig, path),
                config.CONFIGS[name],
            )

    def test_digits_rows_differ_by_the_network_alone(self):
        network = {"model", "depth", "expansion", "reduction", "rule"}
        rows = [
            {
                key: value
                for key, value in dataclasses.asdict(row).items()
                if key not in network
            }
            for name, row in config.CONFIGS.items()
            if name.startswith("digits") and row.model != "diracdeltanet"
        ]
        self.assertGreaterEqual(len(rows), 5)
        for row in rows:
            self.assertEqual(row, rows[0])
        sizes = [
            ladder.parameters(ladder.Design(kind, 8, 1.0, r), 1, 10)
            for kind, r in (
                ("shift", 1.0),
                ("module", config.CONFIGS["digits_resnet_module"].reduction),
                ("net", config.CONFIGS["digits_resnet_net"].reduction),
                ("depthwise", config.CONFIGS["digits_dw_resnet"].reduction),
            )
        ]
        self.assertEqual(sizes[0], 12_218)
        for size in sizes:
            self.assertAlmostEqual(size / sizes[0], 1, delta=0.07)


if __name__ == "__main__":
    absltest.main()
