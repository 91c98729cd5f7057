# `make leaderboard` and `make test` need Python 3.11+, git, make and the package registry.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PRESET ?= mini

.PHONY: leaderboard test benchmark check format publish submission wheel clean
.DEFAULT_GOAL := leaderboard

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'setuptools>=68' wheel
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]' --config-settings editable_mode=strict
	touch $@

leaderboard: $(VENV)/installed  ## run the preset and write its boards to runs/$(PRESET)
	$(BIN)/impress-bench run --preset $(PRESET)
	@echo "Boards: runs/$(PRESET)/boards/LEADERBOARD.md"

# Two processes of one thread each do more than one of two. What is measured against the clock asserts
# nothing and wants a quiet machine: `make benchmark`.
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

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

publish: $(VENV)/installed  ## LEADERBOARD.md and all boards from the stored results
	$(BIN)/impress-bench publish

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

wheel: $(VENV)/installed
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	rm -rf impress_bench.egg-info  # its entry points would hide the installed ones from pytest

clean:
	rm -rf build dist *.egg-info
