"""Compares what is asked for, locked and imported."""

import importlib.metadata
import re
import sys
import tomllib

from absl.testing import absltest

from tests import import_rules, source_tree

_LOCKED = re.compile(r"^([a-z0-9][^\s=]*)==\S+( \\\n +--hash=)?", re.M)


class RequirementsTest(absltest.TestCase):
    def test_are_the_same_everywhere(self):
        text = (source_tree.ROOT / "pyproject.toml").read_text()
        project = tomllib.loads(text)
        declared = project["project"]["dependencies"]
        declared += project["project"]["optional-dependencies"]["test"]
        declared += [
            line
            for line in project["build-system"]["requires"]
            if _distribution(line) not in ("tensorflow", "wheel")
        ]
        self.assertCountEqual(declared, _asked())

    def test_are_locked_with_hashes_and_without_addresses(self):
        text = (source_tree.ROOT / "requirements.txt").read_text()
        self.assertNotRegex(text, r"://|--index-url|--find-links")
        locked = _LOCKED.findall(text)
        self.assertEmpty([name for name, digest in locked if not digest])
        names = {name for name, _ in locked}
        missing = {_distribution(line) for line in _asked()} - names
        self.assertEmpty(missing)

    def test_name_every_distribution_that_is_imported(self):
        asked = {_distribution(line) for line in _asked()}
        owners = importlib.metadata.packages_distributions()
        known = {*source_tree.PACKAGES, *sys.stdlib_module_names}
        for path, source in source_tree.python_files():
            for line, module in import_rules.imports(path, source):
                top = module.split(".")[0]
                if top not in known:
                    with self.subTest(f"{path}:{line}: {top}"):
                        names = map(_distribution, owners[top])
                        self.assertNotEmpty(asked.intersection(names))


def _asked():
    lines = (source_tree.ROOT / "requirements.in").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _distribution(requirement):
    name = re.match(r"[\w.-]+", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    absltest.main()
