"""A run's protections among published ones, paired by subject, without running rivals again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import shipped_presets
from impress_bench.benchmark.harness.runs.folder import Origin, Part, difference, read_part
from impress_bench.benchmark.harness.runs.merge import united
from impress_bench.leaderboard.boards import glance
from impress_bench.leaderboard.entries import ABSENT, Key, Record, differing, record
from impress_bench.leaderboard.findings.variants import measured_task
from impress_bench.leaderboard.layout import Layout, base, headline, listed
from impress_bench.leaderboard.render import Block, Board, interval_text
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS
from impress_bench.leaderboard.statistics import paired_difference

NAME, RECORD = "compare", "provenance.json"
#: The published preset that runs soonest.
EXAMPLE = "mini"
TEXT = (
    "Each of this run's protections minus each published one: how much more the exploit gets, in "
    "units of the metric, with a 95 % interval over the subjects that both have. Below 0 this "
    "run's protects better. No purifier on either side, then the reference purifier on both."
)


def compare(run: Path, published: Sequence[Path]) -> Board:
    """The board of a run beside the published results that were measured in the same way.

    Parameters:
        run: The folder of a run.
        published: Folders of published results, or folders of such; the first that agrees with
            the run is taken.

    Libraries may be of other versions, and either may have been computed on a GPU: that alters sums
    in the last digits, as another machine does, and with them which way a training goes.

    Raises ConfigError for a folder without results, for a run that agrees with none of
    `published`, naming for each what differs, and for one that shares no subject with it.
    """
    own = read_part(run)
    parts = [read_part(folder) for place in published for folder in _results(place)]
    unlike = {
        part.folder: difference(own.origins[0], part.origins[0], libraries=False, device=False)
        for part in parts
    }
    match = next((part for part in parts if not unlike[part.folder]), None)
    if match is None:
        told = "; ".join(f"{folder} in {what}" for folder, what in unlike.items())
        raise ConfigError(
            f"{run} agrees with none of the published results, so that nothing can be paired: it"
            f" differs from {told or 'nothing, since none were found'}{_way_out(parts)}"
        )
    return _board(own, match)


def _results(place: Path) -> list[Path]:
    """The folder of results that `place` is, or those in it."""
    if (place / RECORD).exists() or not place.is_dir():
        return [place]
    return [path for path in sorted(place.iterdir()) if (path / RECORD).exists()] or [place]


def _way_out(published: Sequence[Part]) -> str:
    """Which presets' runs could be compared, as far as this version ships them."""
    known = shipped_presets()
    names = dict.fromkeys(part.origins[0]["preset"]["name"] for part in published)
    shipped = [name for name in names if name in known]
    if not shipped:
        return ""
    first = EXAMPLE if EXAMPLE in shipped else shipped[0]
    told = listed(shipped)
    return (
        f". What can be compared is a run of {told}, such as `impress-bench run --preset {first}`"
    )


def _board(own: Part, published: Part) -> Board:
    """Both at a glance, and the differences between their protections."""
    layout = Layout(united([published.meta, own.meta]))
    cells = with_scaled(_rows("cells", published, own), layout)
    shown = glance.build(cells, _rows("protections", published, own), layout)
    blocks = list(shown.blocks) if shown else []
    records = list(shown.records) if shown else []
    rivals = set(published.frames.cells["protection"])
    for task in sorted(set(own.frames.cells["task"]) & set(published.frames.cells["task"])):
        block, found = _differences(cells, task, rivals, layout)
        if block.rows:
            blocks.append(block)
            records += found
    if not any(block.heading.startswith("Paired") for block in blocks):
        raise ConfigError(
            f"{own.folder} has no protection that {published.folder} lacks, or shares no subject"
            " with it"
        )
    text = TEXT + _computed_apart(own.origins, published.origins)
    text += f"\n\n{shown.text}" if shown else ""
    return Board(NAME, f"{own.folder} beside {published.folder}", text, blocks, records)


def _computed_apart(own: Sequence[Origin], published: Sequence[Origin]) -> str:
    """A sentence about devices and versions of torch that differ; "" if they do not."""
    ours, theirs = _computed_on(own), _computed_on(published)
    if ours == theirs:
        return ""
    return (
        f" This run was computed on {ours}, the published one on {theirs}; what that alters is part"
        " of the differences."
    )


def _computed_on(origins: Sequence[Origin]) -> str:
    """`cpu by torch 2.14.1 and cuda by torch 2.11.0`."""
    named = dict.fromkeys(
        f"{one['device']} by torch {one['packages'].get('torch', '(unknown version)')}"
        for one in origins
    )
    return listed(list(named))


def _differences(
    cells: pd.DataFrame, task: str, rivals: set[str], layout: Layout
) -> tuple[Block, list[Record]]:
    """Each protection that is not among `rivals` minus each that is."""
    found = measured_task(cells, task, layout)
    metric = headline(found.metrics)
    rows: list[list[str]] = []
    records: list[Record] = []
    if metric is None:
        return Block("", [], []), records
    keys = list(found.entries)
    reference = [key.purifier for key in keys if base(key.purifier) == layout.roles.purifier]
    purifiers = [layout.roles.no_purifier, *dict.fromkeys(reference)][:2]
    names = [name for name in found.protections if layout.kind(name) == "protection"]
    own = [name for name in names if name not in rivals]
    for name, rival in product(own, [name for name in names if name in rivals]):
        texts = []
        for purifier in purifiers:
            one, other = (
                found.entries.get(Key(side, purifier, metric.name), ABSENT)
                for side in (name, rival)
            )
            gap = paired_difference(one.by_subject, other.by_subject)
            texts.append(interval_text(gap, metric.percent) if gap.n else "not run")
            key = Key(f"{name} - {rival}", purifier, metric.name)
            records.append(
                record(NAME, task, key, gap, metric.higher_is_better, *differing(one, other))
            )
        rows.append([layout.title(name), layout.title(rival), *texts])
    headers = ["This run", "Published", *(layout.title(name) for name in purifiers)]
    return Block(f"Paired, {layout.title(task)}: {metric.title}", headers, rows), records


def _rows(table: str, published: Part, own: Part) -> pd.DataFrame:
    """The rows of both; of a row that both have, the published one."""
    frames: list[pd.DataFrame] = [getattr(part.frames, table) for part in (published, own)]
    place = list({"cells": CELLS, "protections": PROTECTIONS}[table].place)
    both = pd.concat(frames)
    return both.drop_duplicates(place).reset_index(drop=True)
