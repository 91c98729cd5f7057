import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.spec import Spec, format_value, parse_spec, parse_specs, parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-2", -2),
        ("0.05", 0.05),
        ("1e-3", 0.001),
        ("16/255", 16 / 255),
        ("true", True),
        ("false", False),
        ("glaze", "glaze"),
        ('"3"', "3"),
        ("'a, b'", "a, b"),
        ("glaze[p=0.05]", "glaze[p=0.05]"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_values(text, value):
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)
    assert parse_value(format_value(parsed)) == value


def test_spec_is_canonical():
    assert str(parse_spec(" glaze[ q = 2 ,p=0.05 ] ")) == "glaze[p=0.05,q=2]"
    assert str(parse_spec("glaze[]")) == "glaze"
    assert str(Spec("a", (("eps", 0.06274509803921569),))) == "a[eps=16/255]"
    assert parse_spec("a[eps=16/255]") == parse_spec("a[eps=0.06274509803921569]")


def test_adaptations_follow_outside_brackets():
    spec = parse_spec("glaze[p=1e+0] + consistency[ weight=40 ]+o-pgd")
    assert str(spec) == "glaze[p=1.0]+consistency[weight=40]+o-pgd"
    assert [part.name for part in spec.adaptations] == ["consistency", "o-pgd"]
    assert parse_spec(str(spec)) == spec
    noise = parse_spec("noise[match=glaze+o-pgd[tau=1]]")
    assert dict(noise.parameters) == {"match": "glaze+o-pgd[tau=1]"}
    assert not noise.adaptations


@pytest.mark.parametrize(
    ("text", "base", "family", "adapted"),
    [
        ("glaze", "glaze", "glaze", None),
        ("glaze[match=a+b]", "glaze", "glaze", None),
        ("glaze[p=0.1,q=a[b=1]]+o-pgd[tau=1]", "glaze", "glaze+o-pgd", "glaze[p=0.1,q=a[b=1]]"),
        ("glaze[p=1]+consistency[w=1]", "glaze", "glaze+consistency", "glaze[p=1]"),
        ("a[x=b[y=1]]+c+d[t=1]", "a", "a+c+d", "a[x=b[y=1]]+c"),
        ("impress[steps=5]>jpeg", "impress>jpeg", "impress>jpeg", None),
    ],
)
def test_parts_of_a_name(text, base, family, adapted):
    spec = parse_spec(text)
    assert (spec.base, spec.family) == (base, family)
    assert spec.adapted == (None if adapted is None else parse_spec(adapted))


def test_a_chain_has_links_and_the_first_has_the_parameters():
    spec = parse_spec("gaussian-noise[std=0.05]>impress>jpeg[quality=15]")
    assert [str(link) for link in spec.links] == [
        "gaussian-noise[std=0.05]", "impress", "jpeg[quality=15]",
    ]  # fmt: skip
    assert spec.parameter("std") == 0.05
    assert spec.parameter("quality") is None
    assert parse_spec("noise[match=glaze[p=0.05]]").parameter("match") == "glaze[p=0.05]"


@pytest.mark.parametrize("value", ["", "true", "3", "a,b", "a]", 'say "x"', "x=y"])
def test_strings_survive(value):
    spec = Spec("a", (("k", value),))
    assert parse_spec(str(spec)) == spec


def test_several_specs_split_outside_brackets_only():
    specs = parse_specs("glaze[p=0.05,q=1], mist,noise[match=glaze[p=0.05,q=2]]")
    assert [spec.name for spec in specs] == ["glaze", "mist", "noise"]
    assert dict(specs[2].parameters) == {"match": "glaze[p=0.05,q=2]"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[p=1]", "does not start with a name"),
        ("glaze[p=1", "bracket"),
        ("glaze[p]", "key=value"),
        ("glaze[p=1,p=2]", "twice"),
        ("glaze[p=]", "empty"),
        ("glaze[p=1/0]", "zero"),
        ("glaze,,mist", "empty entry"),
        ("glaze++mist", "empty entry"),
        ("glaze+[w=1]", "does not start with a name"),
        ("", "names nothing"),
        ("glaze]", "did not open"),
        ("glaze[p='x]", "open"),
    ],
)
def test_errors_say_what_is_wrong(text, complaint):
    with pytest.raises(ConfigError, match=complaint):
        parse_specs(text)
