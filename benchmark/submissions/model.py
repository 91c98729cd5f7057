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
preset = "mini"
benchmark = "0.1.0"                     # the version of impress-bench that measured them
cells = "…"                             # SHA-256 of cells.csv and of provenance.json
provenance = "…"
```
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, model_validator

CELLS, PROVENANCE, SUBMISSION = "cells.csv", "provenance.json", "submission.toml"
#: What a folder of a submission holds, and nothing else.
FILES = (SUBMISSION, CELLS, PROVENANCE)
SCHEMA_TITLE = "A submission to impress-bench"


def _spdx(text: str) -> str:
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(f"{error}; write an SPDX expression such as Apache-2.0") from None


def _exact(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise ValueError("is no exact version; write one such as 1.0.2, no range") from None
    return text


def _one_line(text: str) -> str:
    if not text.isprintable() or set(text) & set("<>[]`|"):
        raise ValueError("must be one line of plain text, without any of < > [ ] ` |")
    return text


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Distribution(_Table):
    """What is installed: a release file by version and digest, or a commit."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    version: Annotated[str, AfterValidator(_exact)] | None = None
    sha256: Digest | None = None
    git: Annotated[str, Field(pattern=r"^https://[^\s@#]+$")] | None = None
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


class Claims(_Table):
    """What was measured, under which preset of which version, and the digests of the files."""

    preset: Name
    benchmark: Annotated[str, AfterValidator(_exact)]
    cells: Digest
    provenance: Digest


class Submission(_Table):
    """The content of submission.toml."""

    name: Name
    kind: Literal["protection", "purifier"]
    summary: Annotated[str, Field(min_length=10, max_length=300), AfterValidator(_one_line)]
    licence: Annotated[str, AfterValidator(_spdx)]
    paper: HttpUrl | None = None
    distribution: Distribution
    claims: Claims


class Ran(BaseModel):
    """Which model played a role."""

    name: Annotated[str, Field(pattern=r"^[\w./-]{1,100}$")]
    digest: Annotated[str, Field(pattern=r"^[\w:./-]{1,200}$")]


class Provenance(BaseModel):
    """What of a run's provenance.json a page and a re-run need; there is more."""

    started: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT[\d:+]{1,20}$")]
    packages: dict[str, Annotated[str, Field(pattern=r"^[\w.+!-]{1,100}$")]]
    key_schema: int
    device: str
    dtype: str
    models: dict[Literal["protection", "purifier", "target"], Ran] = Field(min_length=3)
    preset: dict[str, Any]
    components: dict[str, dict[str, Any]]


def schema() -> str:
    """The JSON Schema of submission.toml, as published in docs."""
    document: dict[str, Any] = {"title": SCHEMA_TITLE, **Submission.model_json_schema()}
    document["title"] = SCHEMA_TITLE
    return json.dumps(document, indent=1) + "\n"
