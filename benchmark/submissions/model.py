"""submission.toml: which plugin, exactly, by whom described, and what it is claimed to do.

```toml
name = "my-cloak"                       # as registered, and of the folder
kind = "protection"
summary = "What it does, in a sentence"
licence = "MIT"                         # an SPDX expression
paper = "https://arxiv.org/abs/…"       # left out where there is none

[distribution]                          # a release, or a commit with `git` and `commit`
name = "my-cloak"
version = "1.0.2"
sha256 = "…"                            # of the file that pip installs

[claims]
preset = "submission"
benchmark = "0.1.0"                     # the version of impress-bench that measured them
cells = "…"                             # SHA-256 of cells.csv, distances.csv and provenance.json
distances = "…"
provenance = "…"
```

Every string is bounded in length and confined to characters that a page, a shell and pip take as
they are.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from impress_bench.benchmark.submissions.confined import Line, Name

CELLS, DISTANCES = "cells.csv", "distances.csv"
PROVENANCE, SUBMISSION = "provenance.json", "submission.toml"
#: What a folder of a submission holds, and nothing else.
FILES = (SUBMISSION, CELLS, DISTANCES, PROVENANCE)
SCHEMA_TITLE = "A submission to impress-bench"


def _spdx(expression: str) -> str:
    try:
        return str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression as error:
        raise ValueError(f"{error}; write an SPDX expression such as Apache-2.0") from None


def _exact(number: str) -> str:
    try:
        Version(number)
    except InvalidVersion:
        raise ValueError("is no exact version; write one such as 1.0.2, no range") from None
    return number


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Exact = Annotated[str, Field(pattern=r"^[^\s]+$", max_length=50), AfterValidator(_exact)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Package = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=80)
]
#: No query and no fragment: neither pip nor a page expands anything in it.
Git = Annotated[
    str,
    Field(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)+$", max_length=200),
]
Paper = Annotated[
    str,
    Field(
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?=%+-]*)?$",
        max_length=300,
    ),
]


class Table(BaseModel):
    """A part of a submission: all keys known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Distribution(Table):
    """What is installed: a release file by version and digest, or a commit."""

    name: Package
    version: Exact | None = None
    sha256: Digest | None = None
    git: Git | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None

    @model_validator(mode="after")
    def _pinned_once(self) -> Distribution:
        release, source = (self.version, self.sha256), (self.git, self.commit)
        if None not in release and source == (None, None):
            return self
        if None not in source and release == (None, None):
            return self
        raise ValueError("must be pinned: version and sha256 of a release, or git and commit")

    def requirement(self) -> str:
        """The line of a requirements file that installs this and nothing else."""
        if self.commit is not None:
            return f"{self.name} @ git+{self.git}@{self.commit}"
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


class Claims(Table):
    """What was measured, under which preset of which version, and the digests of the files."""

    preset: Word
    benchmark: Exact
    cells: Digest
    distances: Digest
    provenance: Digest


class Submission(Table):
    """The content of submission.toml."""

    name: Name
    kind: Literal["protection", "purifier"]
    summary: Annotated[Line, Field(min_length=10, max_length=300)]
    licence: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9 .()+:-]+$", max_length=200), AfterValidator(_spdx)
    ]
    paper: Paper | None = None
    distribution: Distribution
    claims: Claims


def schema() -> str:
    """The JSON Schema of submission.toml, as published in docs."""
    document: dict[str, Any] = {"title": SCHEMA_TITLE, **Submission.model_json_schema()}
    document["title"] = SCHEMA_TITLE
    return json.dumps(document, indent=1) + "\n"
