"""How a component is written: `name[key=value, ...]`, several separated by commas.

A protection may be adapted, `glaze[p=0.05]+consistency[weight=40]`, and purifiers may follow each
other, `jpeg>impress`; both read from left to right. `dir:PATH` and `exec:COMMAND` are short for
`dir[path=PATH]` and `exec[command=COMMAND]`; commas and the signs + and > in them want quotes.
Values are integers, floats, fractions such as `16/255`, booleans and strings. A string needs quotes
only where it would read as something else; brackets inside one must balance, so that a value may
itself be a component: `random-noise[match=glaze[p=0.05]]`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from impress_bench.benchmark.errors import ConfigError

Value = bool | int | float | str

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")
_FRACTION = re.compile(r"([+-]?\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"[-+.\d/eE]+")
#: Python reads no longer integers, and longer floats are infinite.
LONGEST_NUMBER = 300
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")


#: What may be written `name:VALUE`, and the parameter that this stands for.
SHORT = {"dir": "path", "exec": "command"}


@dataclass(frozen=True)
class Spec:
    """A component as the user wrote it, in canonical form: parameters are sorted by name."""

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()
    adaptations: tuple[Spec, ...] = ()
    then: tuple[Spec, ...] = ()

    def __str__(self) -> str:
        inside = ",".join(f"{key}={format_value(value)}" for key, value in self.parameters)
        own = f"{self.name}[{inside}]" if inside else self.name
        return ">".join(["+".join([own, *map(str, self.adaptations)]), *map(str, self.then)])

    @property
    def links(self) -> tuple[Spec, ...]:
        """The components of a chain from left to right; a component that is no chain is its one
        link."""
        return (replace(self, then=()), *self.then)

    @property
    def base(self) -> str:
        """What is adapted or parametrised, by registered names alone: `glaze` of
        `glaze[p=0.05]+o-pgd`, and `impress>jpeg` of `impress[steps=5]>jpeg`."""
        return ">".join(link.name for link in self.links)

    @property
    def family(self) -> str:
        """All registered names, without parameters: `glaze+o-pgd` of `glaze[p=0.05]+o-pgd`."""
        return ">".join(
            "+".join([link.name, *(part.name for part in link.adaptations)]) for link in self.links
        )

    @property
    def adapted(self) -> Spec | None:
        """What the last adaptation is applied to: `glaze[p=1]+o-pgd` of
        `glaze[p=1]+o-pgd+consistency`; None without adaptations."""
        if not self.adaptations:
            return None
        return replace(self, adaptations=self.adaptations[:-1], then=())

    def parameter(self, name: str) -> Value | None:
        """The value that was written for a parameter of the first component, None if none was."""
        return dict(self.parameters).get(name)


# Boards ask for the parts of a few hundred names in a hundred thousand cells.
@lru_cache(maxsize=16_384)
def parse_spec(text: str) -> Spec:
    """One component, with its adaptations and the components that follow it.

    Raises ConfigError for a text that is no such thing, and says what is wrong with it.
    """
    links = split_top_level(text, ">")
    if not links:
        raise ConfigError("a name is empty; write name or name[key=value]")
    first, *then = map(_parse_link, links)
    return replace(first, then=tuple(then))


def _parse_link(text: str) -> Spec:
    """One component of a chain."""
    first, *adaptations = map(_parse_part, split_top_level(text, "+"))
    return replace(first, adaptations=tuple(adaptations))


def _parse_part(text: str) -> Spec:
    """One component without adaptations."""
    for short, key in SHORT.items():
        if text.strip().startswith(f"{short}:"):
            value = text.strip().removeprefix(f"{short}:").strip()
            value = unquoted(value)
            if not value:
                raise ConfigError(f"{text!r} names nothing behind the colon")
            return Spec(short, ((key, value),))
    name, bracket, rest = text.partition("[")
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{text!r} does not start with a name; write name or name[key=value]")
    if not bracket:
        return Spec(name)
    if not rest.endswith("]"):
        raise ConfigError(f"{text!r} lacks the closing bracket of name[key=value]")
    parameters: dict[str, Value] = {}
    for item in split_top_level(rest[:-1]):
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not _KEY.fullmatch(key):
            raise ConfigError(f"{item!r} in {text!r} is not of the form key=value")
        if key in parameters:
            raise ConfigError(f"{text!r} gives {key} twice")
        parameters[key] = parse_value(value)
    return Spec(name, tuple(sorted(parameters.items())))


def parse_specs(text: str) -> tuple[Spec, ...]:
    """Components separated by commas outside brackets: `glaze[p=0.05],mist`."""
    specs = tuple(parse_spec(item) for item in split_top_level(text))
    if not specs:
        raise ConfigError("names nothing; separate components by commas")
    return specs


def unquoted(text: str) -> str:
    """A text without the quotes around all of it."""
    return text[1:-1] if _QUOTED.fullmatch(text) else text


def parse_value(text: str) -> Value:
    """The value that `text` stands for."""
    text = text.strip()
    if not text:
        raise ConfigError('a value is empty; write "" for an empty string')
    if _QUOTED.fullmatch(text):
        return unquoted(text)
    if len(text) > LONGEST_NUMBER and _NUMBER.fullmatch(text):
        raise ConfigError(f"a number of {len(text)} characters is no parameter")
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return _finite(text, float(text))
    if fraction := _FRACTION.fullmatch(text):
        numerator, denominator = map(float, fraction.groups())
        if not denominator:
            raise ConfigError(f"{text!r} divides by zero")
        return _finite(text, numerator / denominator)
    if any(quote in text for quote in "'\""):
        raise ConfigError(f"{text} is half quoted; quote all of it or nothing")
    return text


def _finite(text: str, value: float) -> float:
    if not math.isfinite(value):
        raise ConfigError(f"{text} is beyond all numbers")
    return value


def format_value(value: Value) -> str:
    """The shortest text that `parse_value` reads back as `value`; budgets come as k/255."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        steps = round(value * 255) if abs(value) <= 255 else 0
        fraction = f"{steps}/255"
        return (
            fraction if steps / 255 == value and len(fraction) < len(repr(value)) else repr(value)
        )
    if isinstance(value, int):
        return str(value)
    if value and _plain(value):
        return value
    return f"'{value}'" if '"' in value else f'"{value}"'


def split_top_level(text: str, separator: str = ",") -> list[str]:
    """Parts of `text` between separators outside brackets and quotes; an empty text has none."""
    parts, depth, quote, start = [], 0, "", 0
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[]":
            depth += 1 if character == "[" else -1
            if depth < 0:
                raise ConfigError(f"{text!r} closes a bracket that it did not open")
        elif character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth or quote:
        raise ConfigError(f"{text!r} leaves a {'quote' if quote else 'bracket'} open")
    parts.append(text[start:])
    if len(parts) == 1 and not text.strip():
        return []
    if any(not part.strip() for part in parts):
        raise ConfigError(f"{text!r} has an empty entry around a {separator!r}")
    return [part.strip() for part in parts]


def _plain(text: str) -> bool:
    """Whether a string reads back as itself without quotes."""
    try:
        return parse_value(text) == text and split_top_level(text) == [text]
    except ConfigError:
        return False
