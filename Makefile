# SPDX-License-Identifier: MIT
# demo, test, bench and lint each set up what they need; a second call sets up nothing again.
#   PYTHON=python3.12 make demo     another interpreter (3.11 or newer)
#   VENV=/path make demo            another environment folder
#   TORCH=torch==2.13.0 make demo   a CUDA build of PyTorch instead of the CPU build
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SCENARIO ?= demo
export OMP_NUM_THREADS ?= 1

NATIVE := CMakeLists.txt $(shell find cosim ns3_scenarios \( -name '*.cc' -o -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name 'CMakeLists.txt' -o -name '*.cmake' \) -not -path '*/test/*' -not -path '*/examples/*')
# What measures reaction times, or keeps both cores busy by itself; compiling, as the other tests of the bridge do, is neither.
ALONE := $(addprefix tests/bridge/test_,channels.py endurance.py faults.py ns3ai.py) tests/cosim/test_faults.py
# Whole files go to a worker, those with slow tests first (tests/conftest.py): a long one at the end would run by itself.
BESIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ALONE:%=--ignore=%)
WORKERS ?= 2

.PHONY: help setup coverage demo test test-fast cpp-tests bench docs lint format clean crosscheck-tensorflow
help:
	@echo "make demo | test | test-fast | bench | docs | lint | format | clean | crosscheck-tensorflow"

setup: $(VENV)/.assets

$(VENV)/.dependencies: pyproject.toml requirements/constraints.txt scripts/setup.sh
	@bash scripts/setup.sh dependencies "$(PYTHON)" "$(VENV)"
	@touch $@

$(VENV)/.native: $(VENV)/.dependencies $(NATIVE)
	@bash scripts/setup.sh native "$(PYTHON)" "$(VENV)"
	@touch $@

$(VENV)/.assets: $(VENV)/.native
	@bash scripts/setup.sh assets "$(PYTHON)" "$(VENV)"
	@touch $@

demo: setup
	@$(BIN)/cosim run $(SCENARIO)

cpp-tests: setup
	@$(BIN)/cmake -S . -B build/editable -DCOSIM_BUILD_TESTS=ON > build/cpp-tests.log 2>&1 && $(BIN)/cmake --build build/editable >> build/cpp-tests.log 2>&1 || { tail -n 40 build/cpp-tests.log; exit 1; }

# First what must run alone, then the rest as WORKERS files at a time.
test test-fast: cpp-tests
	@COSIM_TEST_BIN=$(CURDIR)/build/editable/test-bin $(BIN)/python -m pytest $(SELECT) $(ALONE)
	@COSIM_TEST_BIN=$(CURDIR)/build/editable/test-bin $(BIN)/python -m pytest $(SELECT) $(BESIDE)

test-fast: SELECT := -m "not slow"

bench: setup
	@for f in benchmarks/*/*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

# Our block error table against Sionna 1.2.2 on TensorFlow, in an environment of its own (less than 2 GB, some minutes; no part
# of the tests). The counts are in build/crosscheck/points.json; a second call measures what is missing.
CROSSCHECK := build/crosscheck
$(CROSSCHECK)/.ready: requirements/crosscheck-tensorflow.txt
	@mkdir -p $(CROSSCHECK)
	@$(PYTHON) -m venv $(CROSSCHECK)/venv
	@$(CROSSCHECK)/venv/bin/pip install --quiet -r requirements/crosscheck-tensorflow.txt
	@$(CROSSCHECK)/venv/bin/pip install --quiet --no-deps $$(sed -n 's/^# --no-deps: //p' requirements/crosscheck-tensorflow.txt)
	@touch $@

crosscheck-tensorflow: $(CROSSCHECK)/.ready
	@CUDA_VISIBLE_DEVICES= $(CROSSCHECK)/venv/bin/python scripts/crosscheck_tensorflow.py measure --out $(CROSSCHECK)/points.json
	@$(PYTHON) scripts/crosscheck_tensorflow.py compare $(CROSSCHECK)/points.json

# What the tests execute: Python with its child processes, and the C++ of the bridge and of the ns-3 module, which is
# built once more for it. Takes twice as long as `make test`.
COVERED := $(CURDIR)/build/coverage
coverage: setup
	@$(BIN)/pip install -q -c requirements/constraints.txt pytest-cov gcovr
	@mkdir -p $(COVERED)
	@$(BIN)/cmake -S . -B $(COVERED) -DCOSIM_BUILD_TESTS=ON -DPython_EXECUTABLE=$(abspath $(BIN))/python -Dpybind11_DIR=$$($(BIN)/python -m pybind11 --cmakedir) -DCMAKE_CXX_FLAGS="--coverage -O1 -fno-inline" > $(COVERED)/build.log 2>&1 && $(BIN)/cmake --build $(COVERED) >> $(COVERED)/build.log 2>&1 || { tail -n 40 $(COVERED)/build.log; exit 1; }
	@find $(COVERED) -name '*.gcda' -delete; rm -f $(COVERED)/python*
	@export COSIM_NS3=$(COVERED)/ns3_scenarios/cosim-ns3 COSIM_TEST_BIN=$(COVERED)/test-bin; failed="echo some tests failed: what they cover counts all the same"; \
	 $(BIN)/python -m pytest --cov --cov-report= --timeout 900 $(ALONE) || $$failed; \
	 $(BIN)/python -m pytest --cov --cov-append --cov-report= --timeout 900 $(BESIDE) || $$failed
	@$(BIN)/coverage report --data-file $(COVERED)/python | tee $(COVERED)/report-python.txt | tail -n 1
	@$(BIN)/gcovr -r . $(COVERED) --filter cosim/bridge/ --filter 'ns3_scenarios/(model|helper|app)/' --gcov-ignore-parse-errors=all --txt $(COVERED)/report-cpp.txt --txt-summary | grep lines

# The site in build/site; a warning is an error.
docs: setup
	@$(BIN)/python scripts/docs_reference.py
	@$(BIN)/python -m mkdocs build --strict --quiet

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@git ls-files '*.cc' '*.h' '*.hpp' '*.cpp' | xargs $(BIN)/clang-format --dry-run --Werror

format: setup
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	@git ls-files '*.cc' '*.h' '*.hpp' '*.cpp' | xargs $(BIN)/clang-format -i

clean:
	rm -rf build dist $(VENV)
