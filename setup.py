"""Builds the C++ operators beside the package; pyproject has the rest."""

import importlib.util
import os
import pathlib
import subprocess
import tempfile

import setuptools
from setuptools.command import build_ext

SOURCES = sorted(
    str(path) for path in pathlib.Path("custom_ops").glob("*/*.cc")
)
HEADERS = sorted(str(path) for path in pathlib.Path("custom_ops").glob("*/*.h"))


def tensorflow_folder() -> pathlib.Path:
    """Folder of the installed TensorFlow, found without importing it."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None:
        raise SystemExit(
            "tensorflow is needed to build the operators: install "
            "requirements.txt first, or build with isolation"
        )
    return pathlib.Path(spec.submodule_search_locations[0])


class BuildOps(build_ext.build_ext):
    """Compiles one plain shared library with TensorFlow's own flags."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")) + ".so"

    def build_extension(self, ext):
        target = pathlib.Path(self.get_ext_fullpath(ext.name))
        newest = max(os.path.getmtime(name) for name in SOURCES + HEADERS)
        if target.exists() and target.stat().st_mtime > newest:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = tensorflow_folder()
        flags = [
            os.environ.get("CXX", "g++"),
            *("-O3 -g0 -std=c++17 -fPIC -shared -Wno-psabi").split(),
            "-fno-math-errno",
            "-ffp-contract=fast",
            "-D_GLIBCXX_USE_CXX11_ABI=1",
            "-DEIGEN_MAX_ALIGN_BYTES=64",
            f"-I{folder / 'include'}",
            "-I.",
        ]
        link = [f"-L{folder}", "-l:libtensorflow_framework.so.2"]
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            built = os.path.join(scratch, "library.so")
            subprocess.run([*flags, *SOURCES, "-o", built, *link], check=True)
            os.replace(built, target)


setuptools.setup(
    ext_modules=[
        setuptools.Extension("squeeze_tf.ops._squeeze_tf_ops", SOURCES)
    ],
    cmdclass={"build_ext": BuildOps},
)
