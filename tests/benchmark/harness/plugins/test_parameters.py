"""Parameters are read in the type of their default; TOML's strings stand for fractions too."""

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.parameters import bind_parameters, task_parameters
from impress_bench.benchmark.tasks.style_mimicry import StyleMimicry


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


def test_a_setting_that_does_not_go_with_a_default_is_named():
    """By its name: that the task cannot be created is no help."""
    judging = {"diffusion_rounds": [1, 2]}  # by default three numbers say how many each keeps
    with pytest.raises(ConfigError, match=r"style-mimicry': .*number for each of diffusion_rounds"):
        task_parameters("style-mimicry", StyleMimicry, {"judging": judging})
