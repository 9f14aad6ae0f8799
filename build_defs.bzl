"""One library for each package and one test for each *_test.py."""

# Who may import whom, the second time: tests/repository_test.py is the first.
APPLICATIONS = [
    "//experiments:__subpackages__",
    "//tests:__subpackages__",
    "//tools:__subpackages__",
]

MODEL_TOPICS = [
    "//squeeze_tf/adaptation:__subpackages__",
    "//squeeze_tf/annotation:__subpackages__",
    "//squeeze_tf/classification:__subpackages__",
    "//squeeze_tf/detection:__subpackages__",
    "//squeeze_tf/search:__subpackages__",
    "//squeeze_tf/segmentation:__subpackages__",
    "//squeeze_tf/shift_applications:__subpackages__",
]

TOPICS = MODEL_TOPICS + ["//squeeze_tf/simulation:__subpackages__"]

_NOT_DATA = [
    "**/*.py",
    "**/*.pyc",
    "**/*.so",
    "BUILD",
]

def python_package(name, visibility, deps = [], data = []):
    """The modules of a folder, with whatever else lies there.

    Args:
      name: the folder's name, so that a package's label is its path.
      visibility: who may import it.
      deps: the packages that it imports.
      data: generated files, for instance the compiled operators.
    """
    native.py_library(
        name = name,
        srcs = native.glob(["*.py"]),
        data = data + native.glob(["**"], exclude = _NOT_DATA),
        srcs_version = "PY3",
        visibility = visibility,
        deps = deps + _parents(),
    )

def python_tests(deps = [], always_run = [], programs = [], size = "medium"):
    """A test for each *_test.py of a folder, with whatever else lies there.

    Args:
      deps: the packages that the tests import.
      always_run: tests of the source tree itself, which Bazel may neither
        cache nor put into a sandbox.
      programs: tests that run whole programs, tagged "program".
      size: Bazel's size of each test; it sets the time limit.
    """
    native.py_library(
        name = "shared",
        testonly = True,
        srcs = native.glob(["*.py"]),
        data = native.glob(["**"], exclude = _NOT_DATA),
        srcs_version = "PY3",
        visibility = ["//tests:__subpackages__"],
        deps = deps + _parents(),
    )
    for source in native.glob(["*_test.py"]):
        tags = ["external", "local"] if source in always_run else []
        tags += ["program"] if source in programs else []
        native.py_test(
            name = source[:-len(".py")],
            size = size,
            srcs = [source],
            python_version = "PY3",
            srcs_version = "PY3",
            tags = tags,
            deps = [":shared"],
        )

def _parents():
    """The __init__.py of the folder above."""
    top, _, below = native.package_name().partition("/")
    return ["//%s:package" % top] if below else []
