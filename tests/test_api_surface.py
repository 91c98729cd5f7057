"""The public names: what plugins, notebooks and scripts may rely on, in tests/api_surface.json.

A name that vanishes breaks somebody's code. If that is meant, change the list, and say so in the
changelog; a new public name is added to the list, so that it is kept from then on.
"""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path

import pytest

SURFACE = json.loads((Path(__file__).parent / "api_surface.json").read_text())
CALLS = SURFACE["parameters"]


@pytest.mark.parametrize("package", SURFACE["names"])
def test_public_names_are_those_listed(package):
    listed, there = SURFACE["names"][package], import_module(package).__all__
    assert sorted(set(listed) - set(there)) == [], "vanished; see this test's docstring"
    assert sorted(set(there) - set(listed)) == [], "new: add it to tests/api_surface.json"
    for name in listed:
        assert getattr(import_module(package), name) is not None


@pytest.mark.parametrize("name", CALLS)
def test_parameters_and_attributes_are_those_listed(name):
    package, _, path = name.partition(":")
    found = import_module(package)
    for part in path.split("."):
        found = getattr(found, part)
    there = {*inspect.signature(found).parameters} if callable(found) else set()
    if isinstance(found, type):
        there |= {attribute for attribute in dir(found) if not attribute.startswith("_")}
    assert set(CALLS[name]) - there == set(), "vanished; see this test's docstring"
