# `make demo` or `make test` is all a newcomer types; the rest follows.

PYTHON ?= python3.11
SQUEEZE_TF_SHARED ?= ../shared
PYTEST_ARGS ?=
BAZEL ?= bazel
BAZEL_ARGS ?=
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
CREATED := $(VENV)/created.stamp
REQUIREMENTS := $(VENV)/requirements.stamp
LIBRARY := $(VENV)/library.stamp
LIBRARY_SOURCES := $(shell find custom_ops -name '*.cc' -o -name '*.h')
SHARED = $(abspath $(SQUEEZE_TF_SHARED))

# Two workers with one thread each; more would fight over two cores.
ONE_THREAD := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test bazel-test lint format benchmark lock clean \
	check-tools

help:  ## Says what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' \
		$(firstword $(MAKEFILE_LIST))

setup: $(LIBRARY)  ## Makes .venv, installs everything, builds the operators.

demo: $(LIBRARY)  ## Runs the tour of the project; results in demo/.
	TF_CPP_MIN_LOG_LEVEL=3 SQUEEZE_TF_SHARED=$(SHARED) \
		$(BIN)/python -m experiments.demo --workdir=demo

test: $(LIBRARY)  ## Runs all tests; PYTEST_ARGS="-k crf" picks some.
	$(ONE_THREAD) SQUEEZE_TF_SHARED=$(SHARED) TF_CPP_MIN_LOG_LEVEL=2 \
		$(BIN)/python -m pytest -q -n 2 --dist worksteal $(PYTEST_ARGS)

bazel-test: $(REQUIREMENTS) .bazelrc.user  ## Runs the same tests under Bazel.
	$(BAZEL) test $(BAZEL_ARGS) //...

lint: $(REQUIREMENTS)  ## Checks style and format, changes nothing.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run -Werror $(LIBRARY_SOURCES)

format: $(REQUIREMENTS)  ## Formats Python and C++ files.
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(LIBRARY_SOURCES)

benchmark: $(LIBRARY)  ## Times operators and detection beside their alternatives.
	$(BIN)/python -m tools.benchmark_operators
	$(BIN)/python -m tools.benchmark_detection

lock:  ## Writes requirements.txt from requirements.in; needs uv.
	uv pip compile --quiet --generate-hashes --python-version 3.11 \
		--no-emit-index-url --custom-compile-command "make lock" \
		requirements.in -o requirements.txt

clean:  ## Removes everything made here, .venv too.
	rm -rf $(VENV) build dist *.egg-info .bazelrc.user .pytest_cache \
		.ruff_cache demo squeeze_tf/ops/*.so*
	find . -name __pycache__ -prune -exec rm -rf {} +

# The packages named are Debian's.
check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing:" \
		"apt-get install python3.11" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments:" \
		"apt-get install python3.11-venv" >&2; exit 1; }
	@command -v $(CXX) >/dev/null || { echo "$(CXX) is missing:" \
		"apt-get install g++" >&2; exit 1; }

$(CREATED): | check-tools
	$(PYTHON) -m venv $(VENV)
	touch $@

# uv installs in seconds what takes pip minutes; without it pip does.
$(REQUIREMENTS): requirements.txt $(CREATED)
	if $(BIN)/pip install --quiet uv==$(UV_VERSION); then \
		UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv \
			pip install --require-hashes -r requirements.txt; \
	else \
		$(BIN)/pip install --require-hashes -r requirements.txt; \
	fi
	touch $@

$(LIBRARY): $(REQUIREMENTS) $(LIBRARY_SOURCES) setup.py pyproject.toml
	$(BIN)/pip install --quiet --no-build-isolation --no-deps -e .
	touch $@

# Rewritten only when it changes, which would start Bazel afresh.
.bazelrc.user: FORCE
	@{ echo "build --repo_env=PYTHON_BIN_PATH=$(abspath $(BIN))/python"; \
		echo "test --test_env=SQUEEZE_TF_SHARED=$(SHARED)"; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

.PHONY: FORCE
FORCE:
