"""Docstrings of plugins list all parameters, with their units and with ranges that are kept."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import entry_points

import pytest

from impress_bench.protections.adaptations.surrogates import Surrogates
from impress_bench.protections.partial import Partial
from impress_bench.protections.solvers.adam_hinge import AdamHinge
from impress_bench.protections.solvers.pgd import Pgd

GROUPS = ("protections", "purifiers", "adaptations")
NEEDED = {
    Partial: {"of": "glaze"},
    Surrogates: {"models": "atelier"},
    Pgd: {"steps": 1, "step": 0.1, "linf": 0.1},
    AdamHinge: {"steps": 1, "lr": 0.01, "p": 0.1, "alpha": 1.0},
}
UNITS = (
    "pixels",
    "LPIPS",
    "share",
    "seconds",
    "GiB",
    "weight",
    "rate",
    "guidance",
    "degrees",
    "no unit",
)
RANGE = re.compile(
    r"(?P<least>[\d.]+) to (?P<most>[\d.]+\d|\d+)(?P<open>, \d+ excluded)?"
    r"|at least (?P<from>[\d.]*\d)|above (?P<above>[\d.]*\d)|any number"
)
AT_MOST = re.compile(r"(?:at most|below) ([\d.]*\d)")


def plugins():
    found = {
        entry.load()
        for group in GROUPS
        for entry in entry_points(group=f"impress_bench.{group}")
        if entry.dist and entry.dist.name == "impress-bench"
    }
    return sorted({*found, Pgd, AdamHinge}, key=lambda plugin: plugin.__qualname__)


def entries(plugin):
    """The entries of a class docstring's section `Args`, by parameter."""
    _, _, section = inspect.getdoc(plugin).partition("\nArgs:\n")
    section = section.partition("\n\n")[0]
    return {
        name: " ".join(text.split())
        for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.M)
    }


def parameters(plugin):
    return inspect.signature(plugin).parameters


def is_number(parameter):
    return re.match(r"(int|float)\b", str(parameter.annotation)) is not None


NUMBERS = [
    pytest.param(plugin, name, id=f"{plugin.__name__}-{name}")
    for plugin in plugins()
    for name, parameter in parameters(plugin).items()
    if is_number(parameter)
]


def test_there_is_something_to_test():
    assert len(plugins()) > 30
    assert len(NUMBERS) > 80


@pytest.mark.parametrize("plugin", plugins(), ids=lambda plugin: plugin.__name__)
def test_every_parameter_has_an_entry_and_nothing_else_does(plugin):
    assert list(entries(plugin)) == list(parameters(plugin))


@pytest.mark.parametrize(("plugin", "name"), NUMBERS)
def test_numbers_have_units_and_ranges_that_are_kept(plugin, name):
    """One beyond each end of the range that the docstring gives is refused."""
    text, parameter = entries(plugin)[name], parameters(plugin)[name]
    if str(parameter.annotation).startswith("float"):
        assert any(unit in text for unit in UNITS), text
    found = RANGE.search(text.partition(";")[2])
    assert found, text
    bounds = {
        key: float(value) for key, value in found.groupdict().items() if value and key != "open"
    }
    outside = []
    if "least" in bounds:
        outside += [bounds["least"] - 1, bounds["most"] + (0 if found["open"] else 1)]
    if "from" in bounds:
        outside.append(bounds["from"] - 1)
    if "above" in bounds:
        outside.append(bounds["above"])
        outside += [float(end) + 1 for end in AT_MOST.findall(text.partition(";")[2])]
    whole = str(parameter.annotation).startswith("int")
    for value in outside:
        given = {**needed(plugin), name: int(value) if whole else value}
        if plugin is Pgd and name == "l2":
            del given["linf"]
        with pytest.raises(ValueError, match=r"must|give|nothing"):
            plugin(**given)


def needed(plugin):
    """Arguments for parameters without defaults."""
    given = {"command": "copy {in} {out}", "path": "folder", **NEEDED.get(plugin, {})}
    return {
        name: given[name]
        for name, parameter in parameters(plugin).items()
        if name in given and (plugin in NEEDED or parameter.default is parameter.empty)
    }
