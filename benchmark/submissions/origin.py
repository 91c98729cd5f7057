"""provenance.json: where the claimed figures come from, and nothing else.

A run notes more (hardware, the checkout, every package); `submit` leaves that out, and what is in
the file besides is refused. Values end on a page: each is bounded and confined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt

from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.storage.keys import LIBRARIES
from impress_bench.benchmark.submissions.model import Digest, Table

DEEPEST, LONGEST_TEXT, MOST_VALUES = 12, 300, 20_000

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./+:-]+$", max_length=100)]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+!-]+$", max_length=100)]
Identity = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:./@-]+$", max_length=200)]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT[0-9:+.]{5,21}$")]
Device = Annotated[str, Field(pattern=r"^[a-z]{1,10}$")]
Dtype = Annotated[str, Field(pattern=r"^[A-Za-z0-9 ,+_-]{1,60}$")]
Label = Annotated[str, Field(max_length=LONGEST_TEXT)]


class Model(Table):
    """Which model played a role."""

    name: Word
    digest: Identity


class Models(Table):
    """The three roles."""

    protection: Model
    purifier: Model
    target: Model


class Provenance(Table):
    """What of a run's provenance.json a page and a re-run need."""

    started: Time
    python: Version
    packages: dict[Word, Version] = Field(min_length=1, max_length=20)
    key_schema: NonNegativeInt
    device: Device
    dtype: Dtype
    models: Models
    pack: Digest
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1, max_length=100)]
    preset: dict[str, Any]
    components: dict[Label, dict[str, Any]] = Field(max_length=500)


#: What of a run's provenance is sent in.
ORIGIN = tuple(Provenance.model_fields)


def sent_origin(origin: dict[str, Any], distribution: str) -> dict[str, Any]:
    """What of a run's provenance is sent in: of its packages those that decide results and the
    plugin's own `distribution`."""
    kept = {name.lower() for name in (OURS, *LIBRARIES, distribution)}
    packages = {
        name: version for name, version in origin["packages"].items() if name.lower() in kept
    }
    return {**{key: origin[key] for key in ORIGIN if key in origin}, "packages": packages}


def parse_origin(content: bytes) -> dict[str, Any]:
    """The document. Raises ValueError, RecursionError or ValidationError for what is none."""
    document = json.loads(
        content, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant
    )
    if not isinstance(document, dict):
        raise ValueError("it holds no table")
    _check_values(document)
    Provenance.model_validate(document)
    Preset.model_validate(document["preset"])
    return document


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("it names a key twice")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _check_values(document: dict[str, Any]) -> None:
    """Raise ValueError for nesting, number or length beyond what any run writes."""
    for count, (depth, value) in enumerate(_leaves(document)):
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} tables")
        if count > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES} values")
        if isinstance(value, str) and (len(value) > LONGEST_TEXT or not value.isprintable()):
            told = f"{value[:40]!r}… is no printable line of at most {LONGEST_TEXT} characters"
            raise ValueError(told)


def _leaves(document: Any) -> Iterator[tuple[int, Any]]:
    """Every key and every value that is no table or list, with its depth."""
    pending = [(1, document)]
    while pending:
        depth, value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                yield depth, key
                pending.append((depth + 1, inner))
        elif isinstance(value, list):
            pending += [(depth + 1, inner) for inner in value]
        else:
            yield depth, value
        if depth > DEEPEST:
            yield depth, None
