"""The constraints that `make lowest` installs: each requirement at its lower bound."""

import runpy
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from impress_bench.benchmark.harness.plugins.component import OURS

ROOT = Path(__file__).parents[1]
lower_bounds = runpy.run_path(str(ROOT / "tools" / "lowest.py"))["lower_bounds"]
SETUP = """
[options]
install_requires =
    torch >= 2.4
[options.extras_require]
test =
    peft >= 0.18
ray =
lora =
    peft >= {lora}
wikiart =
opencv = {opencv}
"""


def test_every_requirement_has_one_lower_bound_and_lies_below_what_is_tested():
    found = lower_bounds((ROOT / "setup.cfg").read_text())
    # Some versions of setuptools write other spellings of a name into the metadata.
    bounds = {canonicalize_name(name): bound for name, bound in found.items()}
    own = [Requirement(line) for line in requires(OURS)]
    always = {canonicalize_name(one.name): str(one.specifier) for one in own if one.marker is None}
    assert len(always) > 20
    assert always == {name: f">={bounds[name]}" for name in always}
    assert [name for name in bounds if Version(version(name)) < Version(bounds[name])] == []


def test_extras_count():
    assert lower_bounds(SETUP.format(lora="0.18", opencv="")) == {"torch": "2.4", "peft": "0.18"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lora": "0.19", "opencv": ""}, "peft: both 0.18 and 0.19"),
        ({"lora": "0.18", "opencv": "opencv"}, "opencv: write NAME >= VERSION"),
        ({"lora": "0.18", "opencv": "opencv >= 4.8, < 5"}, "opencv >= 4.8, < 5: write"),
    ],
)
def test_what_cannot_be_tested_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        lower_bounds(SETUP.format(**given))
