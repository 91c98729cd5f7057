# Needs Python 3.11+, git, make and the package registry. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PRESET ?= mini

.PHONY: help install leaderboard test lowest benchmark check format docs publish page submission wheel clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*  ## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; do \
	  printf '%-18s %s\n' "$$target" "$$what"; done

# pip compiles one module after the other, half of its work here; this takes all cores. Left out, every process of a
# plugin would compile what it imports, since those write no bytecode; so would all others where
# PYTHONDONTWRITEBYTECODE is set. Some packages ship templates that are no Python, hence `true`.
COMPILE := -W ignore -m compileall -qq -j 0 -x '/tests/'

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile 'setuptools>=68' wheel
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[test,dev]' --config-settings editable_mode=strict
	$(BIN)/python $(COMPILE) $(VENV)/lib build || true
	touch $@

install: $(VENV)/installed  ## an environment in .venv with the package and what `check` and `test` need

leaderboard: $(VENV)/installed  ## run PRESET=mini and write its boards and its page to runs/mini
	$(BIN)/impress-bench run --preset $(PRESET)
	@$(BIN)/impress-bench report runs/$(PRESET) --html runs/$(PRESET)/page > /dev/null
	@echo "Page: runs/$(PRESET)/page/index.html"

# Two processes of one thread each are faster than one process of two. Tests of speed need an idle
# machine and are left to `make benchmark`.
JOBS ?= 2
test: $(VENV)/installed  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not speed"

# In an environment of its own: what libraries do for the package, on synthetic and embedded data.
LOWEST ?= .venv-lowest
LOWEST_TESTS ?= tests/metrics tests/leaderboard tests/attacks/test_filters.py tests/benchmark/test_cli.py \
  tests/benchmark/models tests/benchmark/tasks tests/benchmark/datasets tests/benchmark/atelier/test_pack.py \
  tests/benchmark/harness/config tests/benchmark/harness/storage
$(LOWEST)/installed: setup.cfg tools/lowest.py
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) tools/lowest.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --constraint $(LOWEST)/lowest.txt setuptools wheel
	$(LOWEST)/bin/python -m pip install --quiet --no-compile --constraint $(LOWEST)/lowest.txt --editable '.[test]' \
	  --config-settings editable_mode=strict
	$(LOWEST)/bin/python $(COMPILE) $(LOWEST)/lib || true
	touch $@

lowest: $(LOWEST)/installed  ## LOWEST_TESTS=…: a part of the tests, with the oldest libraries that setup.cfg allows
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile $(LOWEST_TESTS)

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

page: $(VENV)/installed  ## page/index.html, on which the published results are read
	$(BIN)/impress-bench publish --html page

# NAME comes from strangers. Neither make nor a shell expands it: what has other characters than a name
# is refused here, and what is left reaches the script by its environment.
override NAME := $(value NAME)
UNLIKE := $(NAME)
$(foreach letter,a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9 -,\
  $(eval UNLIKE := $$(subst $(letter),,$$(UNLIKE))))
ifneq ($(filter submission,$(MAKECMDGOALS)),)
ifneq ($(if $(NAME),$(if $(UNLIKE),,name)),name)
$(error NAME= wants the name of a folder in submissions/, such as my-cloak)
endif
endif
export NAME
submission: $(VENV)/installed  ## NAME=…: what CI does with a submission
	@PYTHON='$(PYTHON)' OURS='$(BIN)' .ci/judge_submission

wheel: $(VENV)/installed  ## a wheel in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	rm -rf impress_bench.egg-info  # its entry points would hide the installed ones from pytest

clean:  ## remove what was built
	rm -rf build dist page site *.egg-info
