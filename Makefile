# Needs Python 3.11+, git, make and the package registry. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PRESET ?= mini

.PHONY: help install leaderboard test benchmark check format docs publish submission wheel clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*  ## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; do \
	  printf '%-18s %s\n' "$$target" "$$what"; done

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'setuptools>=68' wheel
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]' --config-settings editable_mode=strict
	touch $@

install: $(VENV)/installed  ## an environment in .venv with the package and what `check` and `test` need

leaderboard: $(VENV)/installed  ## run PRESET=mini and write its boards to runs/mini
	$(BIN)/impress-bench run --preset $(PRESET)
	@echo "Boards: runs/$(PRESET)/boards/LEADERBOARD.md"

# Two processes of one thread each are faster than one process of two. Tests of speed assert nothing
# here and need an idle machine: `make benchmark`.
JOBS ?= 2
test: $(VENV)/installed  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --ignore tests/performance
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/performance -k memory

benchmark: $(VENV)/installed  ## speed and memory as ratios against bare loops
	$(BIN)/python -m pytest tests/performance --benchmark-only

check: $(VENV)/installed  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/installed  ## fix what lint and format can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/installed-docs: $(VENV)/installed mkdocs.yml
	$(BIN)/python -m pip install --quiet --editable '.[docs]' --config-settings editable_mode=strict
	touch $@

docs: $(VENV)/installed-docs  ## the documentation as a site in site/; fails on broken links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

publish: $(VENV)/installed  ## LEADERBOARD.md and all boards from the stored results
	$(BIN)/impress-bench publish

# The plugin gets an environment of its own. It still runs as you: read its code first, or leave it
# to a machine that has nothing to lose.
SUBMISSION = submissions/$(NAME)
THEIRS = .submissions/$(NAME)
SEED ?= 0
export NAME
submission: $(VENV)/installed  ## NAME=…: what CI does with a submission
	@printf '%s\n' "$$NAME" | grep -Eqx '[a-z][a-z0-9-]*' || { echo "NAME=… of a folder in submissions/"; exit 2; }
	$(BIN)/impress-bench validate $(SUBMISSION)
	$(PYTHON) -m venv --clear $(THEIRS)
	$(THEIRS)/bin/python -m pip install --quiet .
	rm -rf impress_bench.egg-info  # its entry points would hide the installed ones from pytest
	$(THEIRS)/bin/python -m pip freeze --exclude impress-bench > $(THEIRS)/ours.txt
	$(BIN)/impress-bench requirement $(SUBMISSION) > $(THEIRS)/theirs.txt
	$(THEIRS)/bin/python -m pip download --quiet --no-deps --dest $(THEIRS)/release --requirement $(THEIRS)/theirs.txt
	$(THEIRS)/bin/python -m pip install --quiet --constraint $(THEIRS)/ours.txt $(THEIRS)/release/*
	$(THEIRS)/bin/impress-bench check $(NAME)
	$(THEIRS)/bin/impress-bench validate $(SUBMISSION) --rerun 0.1 --seed $(SEED)

wheel: $(VENV)/installed  ## a wheel in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	rm -rf impress_bench.egg-info  # its entry points would hide the installed ones from pytest

clean:  ## remove what was built
	rm -rf build dist site *.egg-info
