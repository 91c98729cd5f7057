"""A run's protections among published ones, paired by subject, without running rivals again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import shipped_presets
from impress_bench.benchmark.harness.runs.folder import (
    Origin,
    Part,
    difference,
    read_part,
    shared_places,
)
from impress_bench.benchmark.harness.runs.merge import united
from impress_bench.leaderboard.boards import glance
from impress_bench.leaderboard.entries import ABSENT, Key, Record, differing, record
from impress_bench.leaderboard.findings.variants import measured_task
from impress_bench.leaderboard.layout import Layout, base, headline, listed
from impress_bench.leaderboard.render import Block, Board, interval_text
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS, is_control
from impress_bench.leaderboard.statistics import paired_difference

NAME, RECORD = "compare", "provenance.json"
#: The published preset that runs soonest, and the one that measures a protection of one's own so
#: that it stands beside its rows.
EXAMPLE, SENT_IN = "mini", "submission"
#: What stands for the results that the benchmark's repository publishes, and where these lie in it.
PUBLISHED, RESULTS = "published", Path("leaderboard/results")
TEXT = (
    "Each of this run's protections minus each published one: how much more the exploit gets, in "
    "units of the metric, with a 95 % interval over the subjects that both have. Below 0 this "
    "run's protects better. No purifier on either side, then the same one on both: the headline "
    "purifier of the board at a glance, and the reference purifier."
)


def compare(run: Path, published: Sequence[Path]) -> Board:
    """The board of a run beside the published results that were measured in the same way.

    Parameters:
        run: The folder of a run.
        published: Folders of published results, or folders of such; of those that agree with the
            run, the one that shares most subjects and seeds with it is taken, of equals the first.

    Everything that a cell depends on must agree: models, tasks, seeds, code, and the parameters of
    the plugins that both ran. What presets are called and show may differ, and which part of the
    work each did. Of seeds those are read that both have. Libraries may be of other versions, and
    either may have been computed on a GPU: that alters sums in the last digits, as another machine
    does, and with them which way a training goes.

    Raises ConfigError for a folder without results, for a run that agrees with none of
    `published`, naming for each what differs, and for one that shares no subject and seed with it.
    """
    own = read_part(run)
    parts = [read_part(folder) for place in published for folder in _results(place)]
    unlike = {part.folder: _unlike(own, part) for part in parts}
    alike = [part for part in parts if not unlike[part.folder]]
    if not alike:
        told = "; ".join(f"{folder} in {what}" for folder, what in unlike.items())
        raise ConfigError(
            f"{run} agrees with none of the published results, so that nothing can be paired: it"
            f" differs from {told or 'nothing, since none were found'}{_way_out(parts)}"
        )
    match = max(alike, key=lambda part: len(shared_places(own.frames.cells, part.frames.cells)))
    return _board(own, match)


def published_results() -> Path | None:
    """The results that the benchmark publishes: of the clone that is the working directory, else of
    the one that this package runs from, as an editable install does; None without either."""
    roots = (Path(), Path(__file__).resolve().parents[3])
    return next((root / RESULTS for root in roots if (root / RESULTS).is_dir()), None)


def _unlike(own: Part, published: Part) -> str:
    """In what the first runs of both differ, as far as cells depend on it; "" in nothing."""
    first, second = own.origins[0], published.origins[0]
    return difference(first, second, libraries=False, device=False, remarks=False)


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
    first = SENT_IN if EXAMPLE in shipped else shipped[0]
    told = listed(shipped)
    return (
        f". What can be compared is a run of {told}, or one with the same settings, such as"
        f" `impress-bench run --preset {first}`"
    )


def _board(own: Part, published: Part) -> Board:
    """Both at a glance, and the differences between their protections."""
    own, published, told = _same_seeds(own, published)
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
    text = TEXT + told + _computed_apart(own.origins, published.origins)
    text += _noise_lacking(own, cells, rivals, layout)
    text += f"\n\n{shown.text}" if shown else ""
    return Board(NAME, f"{own.folder} beside {published.folder}", text, blocks, records)


def _same_seeds(own: Part, published: Part) -> tuple[Part, Part, str]:
    """Both with the cells of the seeds that both have, and a sentence about others; "" if there are
    none. Raises ConfigError if they share no seed of a subject."""
    shared = shared_places(own.frames.cells, published.frames.cells)
    if not shared:
        raise ConfigError(
            f"{own.folder} shares no subject with {published.folder}, or no seed of one, so that"
            " nothing can be paired"
        )
    seeds = {(task, seed) for task, _, seed in shared}
    parts, left = [], False
    for part in (own, published):
        cells = part.frames.cells
        kept = [place in seeds for place in zip(cells["task"], cells["seed"], strict=True)]
        common = cells["task"].isin({task for task, _ in seeds})
        left = left or bool((common & ~pd.Series(kept, index=cells.index)).any())
        parts.append(replace(part, frames=part.frames._replace(cells=cells[kept])))
    read = listed([str(seed) for seed in sorted({seed for _, seed in seeds})])
    return parts[0], parts[1], f" Read are the seeds that both have: {read}." * left


def _noise_lacking(own: Part, cells: pd.DataFrame, rivals: set[str], layout: Layout) -> str:
    """Which rows of noise to run, in a paragraph, where a protection of the run has none; "" where
    each has. Without it nobody can say what the protection takes beyond its visibility."""
    lacking: dict[str, None] = {}
    for _, rows in cells.groupby("task"):
        names = list(dict.fromkeys(rows["protection"]))
        lacking |= dict.fromkeys(
            name
            for name in names
            if name not in rivals
            and layout.kind(name) == "protection"
            and not any(layout.matches(noise, name) for noise in names)
        )
    if not lacking:
        return ""
    wanted = [*own.meta.protections, *layout.noise_for(list(lacking))]
    command = shlex.join(
        ["impress-bench", "run", "--preset", str(own.origins[0]["preset"]["name"]),
         "--protections", ",".join(wanted), "--out", str(own.folder)]
    )  # fmt: skip
    return (
        f"\n\nNo noise as visible as {listed([layout.title(name) for name in lacking])} was run, so"
        " that Takes and Survives have no value there. Run it, with any other options as before;"
        f" what is stored is not run again: `{command}`."
    )


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
    purifiers = _purifiers([key.purifier for key in found.entries], layout)
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


def _purifiers(observed: Sequence[str], layout: Layout) -> list[str]:
    """No purifier, then the headline and the reference purifier as the runs write them, parameters
    included, as far as either has them."""
    roles = layout.roles
    first = {base(name): name for name in reversed(observed)}
    wanted = dict.fromkeys([roles.headline, roles.purifier])
    return [roles.no_purifier, *(first[name] for name in wanted if name in first)]


def _rows(table: str, published: Part, own: Part) -> pd.DataFrame:
    """The rows of both. Of a protection that both have, the published ones alone: beside those of
    other purifiers and fewer subjects they would read as incomplete."""
    theirs, ours = (getattr(part.frames, table) for part in (published, own))
    further = ours["protection"].map(is_control) | ~ours["protection"].isin(theirs["protection"])
    place = list({"cells": CELLS, "protections": PROTECTIONS}[table].place)
    both: pd.DataFrame = pd.concat([theirs, ours[further]])
    return both.drop_duplicates(place).reset_index(drop=True)
