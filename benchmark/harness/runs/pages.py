"""What a page shows of a folder of results, besides its tables: facts and costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.runs.folder import Part
from impress_bench.leaderboard.html import Source


def source_of(part: Part, name: str) -> Source:
    """A folder of results as a page is written from it."""
    frames = part.frames
    return Source(
        name, frames.cells, frames.protections, frames.inspections, frames.notes, part.meta,
        run_lines(part.origins), part.origins, part.folder, stored_costs(part.folder),
    )  # fmt: skip


def run_lines(origins: Sequence[Mapping[str, Any]]) -> list[str]:
    """Preset, version, commits, dates, GPU and model of runs, as lines of Markdown; torch's
    versions if they differ."""
    first = origins[0]
    days = sorted({origin["started"][:10] for origin in origins})
    gpus = dict.fromkeys(filter(None, (one.get("hardware", {}).get("gpu") for one in origins)))
    partly = " for some of the subjects" * any(one["device"] == "cpu" for one in origins)
    torches = sorted({one["packages"]["torch"] for one in origins if "torch" in one["packages"]})
    commits = dict.fromkeys(
        one["git"]["commit"][:12] + " with uncommitted changes" * one["git"]["dirty"]
        for one in origins
        if one.get("git") is not None
    )
    model = first["models"]["target"]
    parts = [
        f"Preset `{first['preset']['name']}`",
        f"impress-bench {first['packages'][OURS]}",
        *[f"commit {commit}" for commit in commits],
        f"begun on {' and '.join(dict.fromkeys([days[0], days[-1]]))}",
        *[f"GPU {gpu}{partly}" for gpu in gpus],
        *[f"torch {' and '.join(torches)}"] * (len(torches) > 1),
    ]
    return [", ".join(parts), f"Model `{model['name']}`, digest {model['digest'][:12]}"]


def stored_costs(folder: Path) -> dict[str, Any]:
    """The costs by component in a folder of results; none without costs.json."""
    path = folder / "costs.json"
    return dict(json.loads(path.read_bytes())["components"]) if path.is_file() else {}
