"""The messages between the benchmark and a plugin's process: JSON, validated by the reader.

The other side may write anything. Nothing that is read here is run, unpickled or followed: a
document has a maximum size, known fields, finite numbers and short plain strings, or is refused.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impress_bench.benchmark.contract import NORMS, Budget
from impress_bench.benchmark.harness.plugins.component import Component

#: Incremented by every incompatible change.
PROTOCOL = 3
JOB, ANSWER, IMAGES_IN, IMAGES_OUT, MASKS = "job.json", "answer.json", "in", "out", "masks"
LARGEST = 4 * 2**20

Finite = Annotated[float, Field(allow_inf_nan=False)]
Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Short = Annotated[str, Field(max_length=200)]
#: Text that is shown on a page: one line without markup.
Title = Annotated[str, Field(pattern=r"^[\w .,:'()+-]{0,80}$")]
M = TypeVar("M", bound=BaseModel)


class Refused(ValueError):
    """The other side's message is invalid."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Failure(_Message):
    """An error in the other process."""

    kind: Literal["config", "plugin"]
    state: Literal["failed", "skipped", "over-budget", "timeout"] = "failed"
    message: Annotated[str, Field(max_length=4000)]
    trace: Annotated[str, Field(max_length=100_000)] = ""


class Limit(_Message):
    """The budget that a protection declares."""

    linf: Annotated[float, Field(ge=0, le=1)] | None = None
    l2: Distance | None = None
    lpips: Distance | None = None
    soft: Annotated[list[Literal["linf", "l2", "lpips"]], Field(max_length=3)] = []

    def budget(self) -> Budget:
        """The same as a `Budget`."""
        return Budget(self.linf, self.l2, self.lpips, frozenset(self.soft))


class Applied(_Message):
    """The answer to `apply`, besides images. `values` are a metric's, the only numbers that may
    appear on a board."""

    failure: Failure | None = None
    budget: Limit = Limit()
    notes: dict[Short, Annotated[list[Finite], Field(max_length=10_000)]] = Field(
        default={}, max_length=100
    )
    reason: Annotated[str, Field(max_length=4000)] = ""
    values: Annotated[list[Finite], Field(max_length=10_000)] = []
    passes: dict[Short, Annotated[int, Field(ge=0)]] = Field(default={}, max_length=50)


class Decided(_Message):
    """A plugin's parameters, and what it declares by its hooks."""

    parameters: dict[Short, Any] = Field(max_length=200)
    requires: Annotated[list[Short], Field(max_length=20)]
    injects: dict[Short, Short] = Field(max_length=20)
    files: Annotated[list[Short], Field(max_length=20)]
    further_models: Annotated[list[Short], Field(max_length=20)]
    shown: dict[Short, Any] = Field(max_length=20)
    granularity: Literal["image", "subject"] = "subject"
    title: Title


class Described(_Message):
    """The answer to `decide`."""

    failure: Failure | None = None
    decided: Decided | None = None


def budget_document(budget: Budget) -> dict[str, Any]:
    """A budget as `Limit` reads it."""
    return {**{norm: getattr(budget, norm) for norm in NORMS}, "soft": sorted(budget.soft)}


def component_document(component: Component) -> dict[str, Any]:
    """A component as `component_of` reads it."""
    return json.loads(json.dumps(asdict(component)))  # type: ignore[no-any-return]


def component_of(document: Mapping[str, Any]) -> Component:
    """The component of a document that this package wrote."""
    fields = dict(document)
    for name in ("adaptations", "then"):
        fields[name] = tuple(component_of(part) for part in fields[name])
    fields["injected"] = {key: component_of(part) for key, part in fields["injected"].items()}
    fields["requires"] = tuple(fields["requires"])
    return Component(**fields)


def read_bytes(folder: Path, *names: str, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file in an untrusted folder. Raises Refused for links on the path,
    pipes, devices, and files of more than `largest` bytes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names[:-1]:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(names[-1], flags, dir_fd=handle)
    except OSError as error:
        raise Refused(f"{'/'.join(names)}: {error.strerror}") from None
    finally:
        os.close(handle)
    with os.fdopen(file, "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise Refused(f"{'/'.join(names)} is no ordinary file")
        data = opened.read(largest + 1)
    if len(data) > largest:
        raise Refused(f"{'/'.join(names)} is larger than {largest} bytes")
    return data


def read_answer(folder: Path, model: type[M]) -> M:
    """The answer of the other side. Raises Refused if it is invalid."""
    data = read_bytes(folder, IMAGES_OUT, ANSWER)
    try:
        document = json.loads(data)
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise Refused(f"{ANSWER}: {where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"{ANSWER}: {str(error)[:200]}") from None
