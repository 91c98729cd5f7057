"""Text that strangers may put on a page: one plain line, without markup, links or line breaks."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import distribution
from typing import Annotated

from pydantic import AfterValidator, Field

from impress_bench.benchmark.contract import NORMS
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.stages.inspect import MEASURES

#: What ends a table cell, starts markup or an entity, or mentions somebody.
MARKUP = frozenset("<>[]{}`|\\*_#~&!@$^")
#: What a page makes a link of without any markup.
LINKS = ("://", "www.", "mailto:")
#: Components as they are written on boards; no link can be written so.
SPEC = r"[a-z0-9][A-Za-z0-9_\-+=.,/\[\]>]*"


def is_plain(text: str) -> bool:
    """Whether a page shows `text` as it is written, in one line."""
    lowered = text.lower()
    return (
        text.isprintable() and not MARKUP & set(text) and not any(link in lowered for link in LINKS)
    )


def plain(text: str) -> str:
    """`text` in the form that `is_plain` accepts: what it may not hold becomes a space."""
    kept = "".join(
        character if character.isprintable() and character not in MARKUP else " "
        for character in text
    )
    for link in LINKS:
        kept = re.sub(re.escape(link), " ", kept, flags=re.IGNORECASE)
    return " ".join(kept.split())


def _plain_line(text: str) -> str:
    if not is_plain(text):
        told = "must be one line of plain text without markup or addresses, none of "
        raise ValueError(told + " ".join(sorted(MARKUP)))
    return text


@cache
def reserved_names() -> frozenset[str]:
    """Names that boards know by another title, that this package registers, or that would confuse
    a reader of paths."""
    entries = distribution(OURS).entry_points
    tasks = [entry.load() for entry in entries.select(group="impress_bench.tasks")]
    shown = {name for task in tasks for name in task.controls}
    shown |= {measure.name for measure in MEASURES} | set(NORMS)
    shown |= {measure.name for task in tasks for measure in task.inspections}
    return frozenset({entry.name for entry in entries} | shown | {"submissions", "control"})


def _free_name(name: str) -> str:
    if name in reserved_names():
        raise ValueError(f"{name!r} is a name of the benchmark's own; register another")
    return name


Name = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40),
    AfterValidator(_free_name),
]
Line = Annotated[str, AfterValidator(_plain_line)]
