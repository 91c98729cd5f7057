"""Parameters are read in the type of their default; TOML's strings stand for fractions too."""

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.parameters import bind_parameters


def cloak(*, linf=None, steps=3, target="a style"):
    pass


def bound(**given):
    return bind_parameters("protection", "cloak", cloak, given)


@pytest.mark.parametrize("value", ["16/255", 16 / 255])
def test_fraction_of_an_optional_number(value):
    assert bound(linf=value)["linf"] == pytest.approx(16 / 255)


def test_text_stays_text_where_text_is_wanted():
    assert bound(target="1/2")["target"] == "1/2"


def test_wrong_type_is_named():
    with pytest.raises(ConfigError, match="steps of protection 'cloak' must be of type int"):
        bound(steps="many")
