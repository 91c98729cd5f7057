"""From a run to the folder that its author sends in."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib.metadata import Distribution as Installed
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w

from impress_bench.benchmark.contract import NORMS, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.plugins.scaffold import SUMMARY
from impress_bench.benchmark.harness.runs.folder import Part, read_part
from impress_bench.benchmark.harness.storage.atomic_files import make_folder
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.spec import parse_spec
from impress_bench.benchmark.submissions.code_that_ran import check_installed
from impress_bench.benchmark.submissions.confined import plain
from impress_bench.benchmark.submissions.grid import offered
from impress_bench.benchmark.submissions.model import (
    CELLS,
    DISTANCES,
    PROVENANCE,
    SUBMISSION,
)
from impress_bench.benchmark.submissions.origin import sent_origin
from impress_bench.benchmark.submissions.reading import Complaint, Reading, read
from impress_bench.benchmark.submissions.wheel import module_apart, read_wheel
from impress_bench.leaderboard import schema

#: The option of `submit` that mends a field.
OPTIONS = {
    "licence": "--licence", "summary": "--summary", "paper": "--paper",
    "distribution.git": "--git", "distribution.commit": "--commit",
}  # fmt: skip
LONGEST_REASON = 200


class Refused(ConfigError):
    """What `submit` would write is no valid submission; nothing was written."""


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
    force: bool = False,
) -> tuple[Path, list[Complaint]]:
    """Write `into`/`name` from a run's folder; the plugin is pinned by its `wheel`, by `git` and
    `commit`, or by what pip noted when it was installed from a repository.

    Gives the folder and warnings. Raises ConfigError for what cannot be found out, with the option
    that says it, and `Refused` for what `validate` would refuse; then nothing is written. A folder
    that is there already is replaced only with `force`.
    """
    kind, installed = _registered(name)
    part = read_part(run)
    if len(part.origins) != 1:
        raise ConfigError(f"--run: {run} is merged from several runs; name one of those")
    origin = sent_origin(part.origins[0], installed.name)
    cells, distances, left = _claimed(part, kind, name)
    rows = [text for text in dict.fromkeys(cells[kind]) if _is(name, text)]
    if not rows:
        raise ConfigError(f"--run: {run} holds no cell of {kind} {name!r}")
    check_installed(part.origins[0], kind, rows)
    files = {
        CELLS: _csv(cells),
        DISTANCES: _csv(distances),
        PROVENANCE: json.dumps(origin, indent=1, ensure_ascii=False).encode(),
    }
    document: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "summary": _summary(summary or _said(installed, "Summary"), kind),
        "licence": licence or _licence(installed),
        **({"paper": paper} if paper else {}),
        "distribution": _pin(installed, kind, name, wheel, git, commit),
        "claims": {
            "preset": origin["preset"]["name"],
            "benchmark": origin["packages"][OURS],
            **{Path(file).stem: sha256(content) for file, content in files.items()},
        },
    }
    files[SUBMISSION] = tomli_w.dumps(document).encode()
    target = into / name
    if target.exists() and not force:
        raise ConfigError(f"--into: {target} is there already; give --force to replace it")
    return _written(files, target, left)


def _written(
    files: dict[str, bytes], target: Path, left: list[Complaint]
) -> tuple[Path, list[Complaint]]:
    """Move the folder into place if `validate` accepts it."""
    make_folder(target.parent, "--into")
    with tempfile.TemporaryDirectory(prefix=".submit-", dir=target.parent) as scratch:
        draft = Path(scratch) / target.name
        draft.mkdir()
        for file, content in files.items():
            (draft / file).write_bytes(content)
        reading = read(draft)
        if reading.complaints:
            raise Refused("\n".join(_mended(reading, draft)))
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    moved = [one._replace(file=str(target / Path(one.file).name)) for one in reading.warnings]
    return target, [*left, *moved]


def _mended(reading: Reading, draft: Path) -> list[str]:
    """Complaints, with the option that answers each."""
    told = []
    for complaint in reading.complaints:
        option = OPTIONS.get(complaint.field)
        line = str(complaint._replace(file=Path(complaint.file).name))
        told.append(f"{line}; give {option}" if option else line)
    return ["nothing was written:", *told]


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


def _summary(said: str, kind: str) -> str:
    """As a page shows it. Raises ConfigError for what `new` wrote into the package."""
    if said == SUMMARY.format(kind):
        raise ConfigError(
            f"summary: {said!r} is what `impress-bench new` wrote; give --summary, a sentence that"
            " says what it does, or write that into its pyproject.toml and build it again"
        )
    return plain(said)


def _licence(installed: Installed) -> str:
    """The package's, as an SPDX expression if it says it as one. Raises ConfigError without one."""
    if told := _said(installed, "License-Expression", "License"):
        return told
    raise ConfigError(
        f"licence: the package {installed.name} names none; give --licence, such as MIT, or write"
        ' license = "MIT" into its pyproject.toml and build it again'
    )


def _is(name: str, text: str) -> bool:
    return bool(text) and not schema.is_control(text) and parse_spec(text).name == name


def _claimed(
    part: Part, kind: str, name: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Complaint]]:
    """The cells of a plugin, with whatever parameters and adaptations, of what they are compared
    with, and of the controls; their distances; and which rows of the run are no part of it.

    Further metrics are no claims, nor is what the preset does not hold.
    """
    cells = part.frames.cells
    further = set(part.origins[0]["preset"].get("metrics", ()))
    cells = cells[(cells["state"] != State.MISSING) & ~cells["metric"].isin(further)]
    other = "purifier" if kind == "protection" else "protection"
    offer = offered(part.origins[0]["preset"]["name"])
    known = set(offer.specs(other))
    control = cells["protection"].str.startswith(schema.CONTROL)
    named = [text for text in dict.fromkeys(cells[kind]) if _is(name, text)]
    own = cells[kind].isin(offer.rows(kind, named))
    kept = control | (own & cells[other].isin(known))
    lost = cells.loc[own & ~control & ~kept, other].drop_duplicates()
    left = [
        Complaint(CELLS, f"{other} {text}", "is none of the preset's and left out") for text in lost
    ]
    chosen = cells[kept]
    done = chosen["state"] == State.DONE
    reasons = [
        "" if ended else plain(reason)[:LONGEST_REASON].strip() or "no reason given"
        for ended, reason in zip(done, chosen["reason"], strict=True)
    ]
    rows = set(zip(*(chosen[column] for column in ("task", "subject", "protection")), strict=True))
    distances = part.frames.protections
    places = zip(*(distances[column] for column in ("task", "subject", "protection")), strict=True)
    distances = distances[[place in rows for place in places]]
    return (
        chosen.assign(reason=reasons)[schema.CELLS.columns],
        distances[schema.PROTECTIONS.columns],
        left,
    )


def _csv(frame: pd.DataFrame) -> bytes:
    numbers = [column for column in ("value", *NORMS) if column in frame]
    written = frame.assign(
        **{
            column: ["" if value != value else format(value, ".17g") for value in frame[column]]
            for column in numbers
        }
    )
    return written.to_csv(index=False, lineterminator="\n").encode()


def _pin(
    installed: Installed,
    kind: str,
    name: str,
    wheel: Path | None,
    git: str | None,
    commit: str | None,
) -> dict[str, str]:
    """Exactly what others are to install."""
    if wheel is not None:
        found = read_wheel(wheel, kind, name, installed.name, installed.version)
        module = Registry().entry(f"{kind}s", name).module
        if apart := module_apart(wheel, module):
            raise ConfigError(
                f"--wheel: {wheel}: its code is not the one that is installed and ran: {apart};"
                " build the wheel again, or install it and run again"
            )
        return {"name": installed.name, "version": found.version, "sha256": found.sha256}
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
