"""Holds the source tree to ARCHITECTURE.md and STYLE.md."""

import ast
import re

from absl.testing import absltest

from tests import import_rules, source_tree

ROOT = source_tree.ROOT

MAX_LINES = 400
_CODE = {".py", ".cc", ".h", ".bzl"}
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work)/")
_MAIN_GUARD = re.compile(
    r'\nif __name__ == "__main__":\n    (absltest|tf\.test)\.main\(\)\n$'
)
_BUILD_MACRO = re.compile(
    r"^python_(package|tests)\(|glob\(\s*\[\"\*\.py", re.MULTILINE
)

# Modules without a test of their own name, and the test that covers them.
COVERED_BY = {
    "classification/packed_weights": "classification/integer",
    "data/las": "data/scan_formats",
    "data/pcd": "data/point_clouds",
    "data/synthetic": "data/lidar_grids",
    "layers/integer": "classification/integer",
    "segmentation/config": "segmentation/models",
    "segmentation/grid_layers": "segmentation/models",
    "simulation/actors": "simulation/sequence",
    "simulation/config": "simulation/generation",
    "simulation/kitti_layout": "simulation/generation",
    "simulation/materials": "simulation/raycast",
    "simulation/placement": "simulation/scene",
    "simulation/surroundings": "simulation/scene",
    "simulation/world": "simulation/scene",
}


class FilesTest(absltest.TestCase):
    def test_are_not_too_long(self):
        for path in source_tree.files():
            if path.suffix in _CODE:
                with self.subTest(str(path.relative_to(ROOT))):
                    lines = len(path.read_text().splitlines())
                    self.assertLessEqual(lines, MAX_LINES)

    def test_hold_no_machine_paths(self):
        for path in source_tree.files():
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            with self.subTest(str(path.relative_to(ROOT))):
                self.assertNotRegex(text, _MACHINE_PATH)

    def test_machine_path_is_noticed(self):
        self.assertRegex(
            "--workdir=" + "/".join(["", "tmp", "x"]), _MACHINE_PATH
        )
        self.assertNotRegex("data/work/x ../tmp/x", _MACHINE_PATH)

    def test_public_code_has_docstrings_and_type_hints(self):
        found = []
        for path, source in source_tree.python_files("squeeze_tf"):
            found += [f"{path}: {what}" for what in _undocumented(source)]
        self.assertEmpty(found, "\n".join(found))

    def test_undocumented_code_is_noticed(self):
        function = "def f(x, *, y: int):\n    'Doc.'\n"
        method = "class A:\n    def g(self, *xs): 0\n    def _h(self): 0\n"
        self.assertEqual(
            _undocumented(function + method),
            [
                "f has no type for x",
                "f has no return type",
                "A has no docstring",
                "A.g has no docstring",
                "A.g has no type for xs",
                "A.g has no return type",
            ],
        )


class TestsTest(absltest.TestCase):
    def test_every_module_has_one(self):
        for path, source in source_tree.python_files("squeeze_tf"):
            if path.endswith("__init__.py") and not ast.parse(source).body[1:]:
                continue
            module = path.removeprefix("squeeze_tf/").removesuffix(".py")
            test = f"tests/{COVERED_BY.get(module, module)}_test.py"
            with self.subTest(path):
                self.assertTrue((ROOT / test).exists(), f"{test} is absent")

    def test_list_of_exceptions_is_up_to_date(self):
        for module in COVERED_BY:
            path = ROOT / "squeeze_tf" / f"{module}.py"
            self.assertTrue(path.exists(), f"{path} is absent")
            own = ROOT / "tests" / f"{module}_test.py"
            self.assertFalse(own.exists(), f"{own} makes its line needless")

    def test_run_as_scripts_too(self):
        for path, source in source_tree.python_files("tests"):
            if path.endswith("_test.py"):
                with self.subTest(path):
                    self.assertRegex(source, _MAIN_GUARD)


class BazelTest(absltest.TestCase):
    def test_every_package_takes_all_its_files(self):
        for folder in source_tree.folders():
            with self.subTest(folder):
                build = ROOT / folder / "BUILD"
                self.assertTrue(build.exists(), f"{build} is absent")
                self.assertRegex(build.read_text(), _BUILD_MACRO)

    def test_every_package_names_what_it_imports(self):
        for path, source in source_tree.python_files():
            folder = path.rsplit("/", 1)[0]
            build = (ROOT / folder / "BUILD").read_text()
            own = import_rules.label(path.removesuffix(".py").replace("/", "."))
            for _, module in import_rules.imports(path, source):
                label = import_rules.label(module)
                if label and label != own:
                    with self.subTest(f"{folder}/BUILD"):
                        self.assertIn(f'"{label}"', build)


def _undocumented(source):
    """What the public code of a module lacks, in the order of the file."""
    return list(_lacks(ast.parse(source).body, ""))


def _lacks(nodes, prefix):
    for node in nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        is_init = node.name == "__init__"
        if node.name.startswith("_") and not is_init:
            continue
        name = prefix + node.name
        if not is_init and not ast.get_docstring(node):
            yield f"{name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from _lacks(node.body, f"{name}.")
            continue
        for argument in _arguments(node, is_method=bool(prefix)):
            if argument.annotation is None:
                yield f"{name} has no type for {argument.arg}"
        if not is_init and node.returns is None:
            yield f"{name} has no return type"


def _arguments(node, is_method):
    arguments = node.args.posonlyargs + node.args.args
    if is_method and "staticmethod" not in map(
        ast.unparse, node.decorator_list
    ):
        arguments = arguments[1:]
    rest = [node.args.vararg, *node.args.kwonlyargs, node.args.kwarg]
    return arguments + [argument for argument in rest if argument]


if __name__ == "__main__":
    absltest.main()
