"""From a run to the folder that its author sends in."""

from __future__ import annotations

import json
from importlib.metadata import Distribution as Installed
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.folder import Part, read_part
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.spec import parse_spec
from impress_bench.benchmark.submissions.model import CELLS, PROVENANCE, SUBMISSION
from impress_bench.leaderboard.schema import is_control

#: What of a run's provenance is sent in: nothing that names a person's machine or folders.
ORIGIN = ("started", "python", "packages", "key_schema", "device", "dtype", "models", "seeds",
          "preset", "components")  # fmt: skip


def submit(
    name: str,
    run: Path,
    into: Path,
    *,
    wheel: Path | None = None,
    git: str | None = None,
    commit: str | None = None,
    licence: str | None = None,
    paper: str | None = None,
    summary: str | None = None,
) -> Path:
    """Write `into`/`name` from a run's folder; the plugin is pinned by its `wheel`, by `git` and
    `commit`, or by what pip noted when it was installed from a repository.

    Raises ConfigError for what cannot be found out, with the option that says it.
    """
    kind, installed = _registered(name)
    part = read_part(run)
    if len(part.origins) != 1:
        raise ConfigError(f"--run: {run} is merged from several runs; name one of those")
    origin = {key: part.origins[0][key] for key in ORIGIN}
    claimed = _claimed(part, kind, name)
    if claimed.empty:
        raise ConfigError(f"--run: {run} holds no cell of {kind} {name!r}")
    cells = claimed.to_csv(index=False, float_format="%.17g", lineterminator="\n").encode()
    provenance = json.dumps(origin, indent=1, ensure_ascii=False).encode()
    document: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "summary": summary or _said(installed, "Summary"),
        "licence": licence or _said(installed, "License-Expression", "License"),
        **({"paper": paper} if paper else {}),
        "distribution": _pin(installed, wheel, git, commit),
        "claims": {
            "preset": origin["preset"]["name"],
            "benchmark": origin["packages"][OURS],
            "cells": sha256(cells),
            "provenance": sha256(provenance),
        },
    }
    folder = make_folder(into / name, "--into")
    write_atomically(folder / CELLS, cells)
    write_atomically(folder / PROVENANCE, provenance)
    write_atomically(folder / SUBMISSION, tomli_w.dumps(document).encode())
    return folder


def _registered(name: str) -> tuple[str, Installed]:
    """The kind of a plugin and the distribution that registers it."""
    registry = Registry()
    for kind in ("protection", "purifier"):
        if name in registry.entries[f"{kind}s"]:
            found = registry.entry(f"{kind}s", name).dist
            if found is None:
                raise ConfigError(f"{name!r} belongs to no installed distribution")
            return kind, found
    raise ConfigError(f"{name!r} is no registered protection or purifier; see impress-bench list")


def _said(installed: Installed, *names: str) -> str:
    """What a package's metadata say first, if anything."""
    metadata = installed.metadata
    return next((metadata[name] for name in names if name in metadata), "")


def _claimed(part: Part, kind: str, name: str) -> pd.DataFrame:
    """The cells of a plugin, with whatever parameters and adaptations; what was not run and further
    metrics are no claims."""
    cells, further = part.frames.cells, set(part.origins[0]["preset"].get("metrics", ()))
    cells = cells[~cells["protection"].map(is_control)]
    cells = cells[(cells["state"] != State.MISSING) & ~cells["metric"].isin(further)]
    reasons = cells["reason"].map(lambda reason: " ".join(reason.split())[:2000])
    return cells.assign(reason=reasons)[[parse_spec(text).name == name for text in cells[kind]]]


def _pin(
    installed: Installed, wheel: Path | None, git: str | None, commit: str | None
) -> dict[str, str]:
    """Exactly what others are to install."""
    if wheel is not None:
        try:
            digest = sha256(wheel.read_bytes())
        except OSError as error:
            raise ConfigError(f"--wheel: {wheel}: {error.strerror}") from None
        return {"name": installed.name, "version": installed.version, "sha256": digest}
    noted = json.loads(installed.read_text("direct_url.json") or "{}")
    source = noted.get("vcs_info", {})
    git = git or (noted.get("url") if source else None)
    commit = commit or source.get("commit_id")
    if git and commit:
        return {"name": installed.name, "git": git, "commit": commit}
    raise ConfigError(
        f"{installed.name} is pinned by nothing: give --wheel FILE, the release that pip is to"
        " install, or --git URL and --commit SHA"
    )
