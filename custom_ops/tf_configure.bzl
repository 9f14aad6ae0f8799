"""Finds the Python in use and the TensorFlow installed for it."""

_FIND = """
import importlib.util, sys
spec = importlib.util.find_spec("tensorflow")
if spec is None:
    sys.exit("tensorflow is not installed for " + sys.executable)
print(sys.executable)
print(spec.submodule_search_locations[0])
"""

_BUILD = """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

cc_library(
    name = "headers",
    hdrs = glob(["include/**/*"], exclude = ["include/**/*.so"]),
    includes = ["include"],
)

cc_import(
    name = "framework",
    shared_library = "libtensorflow_framework.so.2",
)

py_runtime(
    name = "python_runtime",
    interpreter_path = "{python}",
    python_version = "PY3",
)

py_runtime_pair(
    name = "python_runtime_pair",
    py3_runtime = ":python_runtime",
)

toolchain(
    name = "python_toolchain",
    toolchain = ":python_runtime_pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

def _tensorflow_configure_impl(context):
    python = context.os.environ.get("PYTHON_BIN_PATH")
    if not python:
        python = context.which("python3")
    if not python:
        fail("no python3 on PATH; set PYTHON_BIN_PATH")
    found = context.execute([python, "-c", _FIND])
    if found.return_code:
        fail("PYTHON_BIN_PATH or python3 on PATH: " + found.stderr.strip())
    executable, folder = found.stdout.strip().split("\n")
    context.symlink(folder + "/include", "include")
    library = "libtensorflow_framework.so.2"
    context.symlink(folder + "/" + library, library)
    context.file("BUILD", _BUILD.format(python = executable))

tensorflow_configure = repository_rule(
    implementation = _tensorflow_configure_impl,
    doc = "Headers and library of TensorFlow, and its Python as a toolchain.",
    environ = [
        "PATH",
        "PYTHON_BIN_PATH",
    ],
    local = True,
)
