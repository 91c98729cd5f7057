# `make leaderboard` and `make test` need Python 3.11+, git, make and the package registry.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PRESET ?= mini

.PHONY: leaderboard test benchmark check format wheel clean
.DEFAULT_GOAL := leaderboard

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'setuptools>=68' wheel
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]' --config-settings editable_mode=strict
	touch $@

leaderboard: $(VENV)/installed  ## run the preset and write its boards to runs/$(PRESET)
	$(BIN)/impress-bench run --preset $(PRESET)
	@echo "Boards: runs/$(PRESET)/boards/LEADERBOARD.md"

test: $(VENV)/installed  ## the whole test suite
	$(BIN)/python -m pytest

benchmark: $(VENV)/installed  ## speed and memory as ratios against bare loops
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only

check: $(VENV)/installed  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/installed
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	rm -rf impress_bench.egg-info  # its entry points would hide the installed ones from pytest

clean:
	rm -rf build dist *.egg-info
