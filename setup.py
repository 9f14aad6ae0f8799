"""Builds the C++ operators beside the package; pyproject has the rest."""

import importlib.util
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import setuptools
from setuptools.command import build_ext

CUDA_SOURCES = sorted(
    str(path) for path in pathlib.Path("custom_ops").glob("*/*.cu.cc")
)
SOURCES = sorted(
    str(path)
    for path in pathlib.Path("custom_ops").glob("*/*.cc")
    if str(path) not in CUDA_SOURCES
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


def cuda_folder() -> pathlib.Path | None:
    """Where CUDA with its compiler lies; SQUEEZE_TF_CUDA=0 hides it."""
    if os.environ.get("SQUEEZE_TF_CUDA") == "0":
        return None
    compiler = shutil.which("nvcc")
    places = [os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    if compiler:
        places.insert(0, pathlib.Path(os.path.realpath(compiler)).parents[1])
    for place in filter(None, places):
        folder = pathlib.Path(place)
        if (folder / "bin" / "nvcc").exists() and cuda_runtime(folder):
            return folder
    return None


def cuda_runtime(folder: pathlib.Path) -> pathlib.Path | None:
    """The static library of CUDA's runtime, where NVIDIA or Debian puts it."""
    for place in ("lib64", "lib", "lib/x86_64-linux-gnu"):
        library = folder / place / "libcudart_static.a"
        if library.exists():
            return library
    return None


class BuildOps(build_ext.build_ext):
    """Compiles one plain shared library with TensorFlow's own flags."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")) + ".so"

    def build_extension(self, ext):
        target = pathlib.Path(self.get_ext_fullpath(ext.name))
        newest = max(
            os.path.getmtime(name)
            for name in (*SOURCES, *CUDA_SOURCES, *HEADERS)
        )
        # A library of another compiler, or without CUDA, is no longer right.
        kept = target.with_suffix(".so.settings")
        settings = f"{os.environ.get('CXX', 'g++')} CUDA {cuda_folder()}"
        same = kept.exists() and kept.read_text() == settings
        if same and target.exists() and target.stat().st_mtime > newest:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = tensorflow_folder()
        flags = [
            *shlex.split(os.environ.get("CXX", "g++")),
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
            objects, cuda = [], cuda_folder()
            if cuda:
                objects = self.cuda_objects(cuda, scratch)
                flags.append("-DSQUEEZE_TF_CUDA")
                link += [str(cuda_runtime(cuda)), "-ldl", "-lrt", "-lpthread"]
            subprocess.run(
                [*flags, *SOURCES, *objects, "-o", built, *link], check=True
            )
            os.replace(built, target)
        kept.write_text(settings)

    def cuda_objects(self, cuda: pathlib.Path, scratch: str) -> list[str]:
        """Compiles the GPU functors, which use nothing of TensorFlow."""
        objects = []
        for source in CUDA_SOURCES:
            objects.append(
                os.path.join(scratch, pathlib.Path(source).name + ".o")
            )
            subprocess.run(
                [
                    str(cuda / "bin" / "nvcc"),
                    *"-O3 -std=c++17 -x cu -I. -c".split(),
                    *"-Xcompiler -fPIC,-D_GLIBCXX_USE_CXX11_ABI=1".split(),
                    source,
                    "-o",
                    objects[-1],
                ],
                check=True,
            )
        return objects


setuptools.setup(
    ext_modules=[
        setuptools.Extension("squeeze_tf.ops._squeeze_tf_ops", SOURCES)
    ],
    cmdclass={"build_ext": BuildOps},
)
