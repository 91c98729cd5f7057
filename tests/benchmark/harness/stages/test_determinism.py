"""Stages ask for deterministic algorithms, of torch and of its compiler, and do not import that."""

from __future__ import annotations

import importlib
import os
import sys

import pytest
import torch

from impress_bench.benchmark.harness.stages.environment import COMPILER, WARN, Environment

SETTINGS = "torch._inductor.config"


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """What torch and the environment had before is there afterwards."""
    monkeypatch.setenv(COMPILER, "")
    mode = torch.get_deterministic_debug_mode()
    yield
    torch.set_deterministic_debug_mode(mode)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_stage_is_deterministic_and_leaves_torch_as_it_was(before):
    torch.set_deterministic_debug_mode(before)
    with Environment({}).stage(1, "a"):
        assert torch.get_deterministic_debug_mode() == WARN
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.get_deterministic_debug_mode() == before
    assert os.environ[COMPILER] == str(int(before != 0))


def test_a_compiler_that_is_imported_is_told():
    compiler = importlib.import_module(SETTINGS)
    torch.use_deterministic_algorithms(False)
    with Environment({}).stage(1, "a"):
        assert getattr(compiler, "deterministic", True)  # torch 2.4 has no such setting
    assert not getattr(compiler, "deterministic", False)


def test_a_compiler_is_not_imported_and_one_that_a_plugin_imports_knows(monkeypatch):
    known = importlib.import_module(SETTINGS)
    monkeypatch.setattr(torch._inductor, "config", known)
    monkeypatch.delitem(sys.modules, SETTINGS)
    with Environment({}).stage(1, "a"):
        assert SETTINGS not in sys.modules
        compiler = importlib.import_module(SETTINGS)
        assert compiler is not known
        assert getattr(compiler, "deterministic", True)
