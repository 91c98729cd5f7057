"""Merges several runs of one preset, such as one per machine or one per day.

Each part is a run narrowed by `--tasks`, `--subjects`, `--protections`, `--purifiers` or `--seeds`.
Parts must agree in everything else that results depend on, and in every cell that two of them
measured; only of controls, which every part runs, the first part counts. What has no subject in
common may have been computed on other devices and with other versions of libraries: differences are
paired within one subject. Costs are then of both. Stages that a part reused from another's store
count in the costs of both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.runs.costs import load_costs, passes_of, save_costs
from impress_bench.benchmark.harness.runs.folder import Part, difference, read_part
from impress_bench.benchmark.harness.runs.pictures import merge_pictures
from impress_bench.benchmark.harness.runs.tables import Frames, save_frames
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import TABLES, is_control

#: Where provenance.json says of which subjects a run that was merged has results.
SUBJECTS = "subjects"
#: Relative tolerance: two machines may sum in different orders.
CLOSE = 1e-9


def merge(folders: Sequence[str | Path], out: str | Path) -> list[Path]:
    """Write the boards, tables, costs and pictures of all `folders` together into `out`, which may
    be one of them. Returns the boards. Raises ConfigError for parts that do not belong together."""
    parts: list[Part] = []
    for folder in folders:
        part = _with_subjects(read_part(Path(folder)))
        _agree(parts, part)
        parts.append(part)
    meta = united([part.meta for part in parts])
    frames = Frames(*(_frame(name, parts) for name in Frames._fields))
    costs = load_costs([part.folder for part in _uncovered(parts)])
    target = make_folder(Path(out), "--out")
    found = {"figures": _pictures(parts, target), "passes": passes_of(costs)}
    meta = meta.model_copy(update=found)
    merge_pictures([part.folder for part in parts], meta, target)
    origins = [origin for part in parts for origin in part.origins]
    unlike = [one for at, one in enumerate(origins) if one not in origins[:at]]
    document = json.dumps({"parts": unlike, "boards": meta.stored()}, indent=1, ensure_ascii=False)
    write_atomically(target / "provenance.json", document.encode())
    save_frames(frames, target)
    save_costs(costs, target)
    return write_boards(*frames[:3], meta, target, notes=frames.notes)


def _agree(parts: Sequence[Part], new: Part) -> None:
    """Raise ConfigError for a part with other code, settings or models than the others, or with
    another device or other libraries for a subject that they have too."""
    for part in parts:
        for one, other in product(part.origins, new.origins):
            shared = [subject for subject in one[SUBJECTS] if subject in other[SUBJECTS]]
            if unlike := difference(one, other, libraries=False, device=False):
                raise ConfigError(
                    f"{part.folder} and {new.folder} differ in {unlike}; only parts of one"
                    " preset, run with the same code, can be merged"
                )
            if shared and (unlike := difference(one, other)):
                raise ConfigError(
                    f"{part.folder} and {new.folder} differ in {unlike}, and both have"
                    f" {', '.join(shared[0])}; what is compared within a subject must be computed"
                    " on one device with the same libraries: narrow one part with --subjects"
                )


def _with_subjects(part: Part) -> Part:
    """A part whose runs say by task and name of which subjects they have results; merged ones say
    so already."""
    found: set[tuple[str, str]] = set()
    for frame in part.frames:
        known = frame[frame["state"] != State.MISSING] if "state" in frame else frame
        found |= set(zip(known["task"], known["subject"], strict=True))
    subjects = {SUBJECTS: [list(subject) for subject in sorted(found)]}
    return replace(part, origins=[subjects | origin for origin in part.origins])


def _uncovered(parts: Sequence[Part]) -> list[Part]:
    """Drops parts that are contained in another part, so that no cost is counted twice."""
    return [
        part
        for at, part in enumerate(parts)
        if not any(
            all(origin in other.origins for origin in part.origins)
            and (len(other.origins) > len(part.origins) or place > at)
            for place, other in enumerate(parts)
            if place != at
        )
    ]


def united(metas: Sequence[BoardMeta]) -> BoardMeta:
    """The meta of all parts together, rows in the order of the parts."""
    united: dict[str, Any] = {
        name: list(dict.fromkeys(value for meta in metas for value in getattr(meta, name)))
        for name in ("protections", "purifiers", "inspections")
    }
    for name in ("chance", "titles", "about", "passes", "lpips_budgets"):
        united[name] = {key: value for meta in metas for key, value in getattr(meta, name).items()}
    for name in ("metrics", "controls"):
        tasks = dict.fromkeys(task for meta in metas for task in getattr(meta, name))
        united[name] = {
            task: list(
                dict.fromkeys(i for meta in metas for i in getattr(meta, name).get(task, ()))
            )
            for task in tasks
        }
    return metas[0].model_copy(update=united)


def _frame(name: str, parts: Sequence[Part]) -> pd.DataFrame:
    """One table of all parts. Of rows of one place, `done` wins over a failure, and a failure over
    `missing`. Raises ConfigError if two parts measured different values."""
    where = list(TABLES[name].place)
    rows: dict[Hashable, tuple[Part, Any]] = {}
    for part in parts:
        frame: pd.DataFrame = getattr(part.frames, name)
        places = frame[where].itertuples(index=False, name=None)
        for place, row in zip(places, frame.itertuples(index=False), strict=True):
            if place not in rows or _rank(row) > _rank(rows[place][1]):
                rows[place] = (part, row)
            elif _contradicts(row, rows[place][1]):
                where_text = ", ".join(filter(None, map(str, place)))
                raise ConfigError(
                    f"{rows[place][0].folder} and {part.folder} both measured {where_text}, with"
                    " different results; narrow one of them"
                )
    columns = getattr(parts[0].frames, name).columns
    merged = pd.DataFrame([row for _, row in rows.values()], columns=columns)
    return _without_failed(merged) if name == "protections" else merged


def _rank(row: Any) -> int:
    state = getattr(row, "state", State.DONE)
    return 0 if state == State.MISSING else 2 if state == State.DONE else 1


def _contradicts(one: Any, other: Any) -> bool:
    """Whether two rows of one place, both `done`, hold different numbers."""
    if _rank(one) < 2 or _rank(other) < 2 or is_control(str(one.protection)):
        return False
    return not all(
        a == b or (isinstance(a, float) and (a != a or math.isclose(a, b, rel_tol=CLOSE)))
        for a, b in zip(one, other, strict=True)
    )


def _without_failed(protections: pd.DataFrame) -> pd.DataFrame:
    """Drops the row of a failed protection, which names no image, if another part has images."""
    where = ["task", "subject", "protection"]
    done = protections.groupby(where)["image"].transform(lambda images: (images != "").any())
    return protections[(protections["image"] != "") | ~done.astype(bool)].reset_index(drop=True)


def _pictures(parts: Sequence[Part], target: Path) -> dict[str, str]:
    """Copy the strips of all parts; their captions by file name. Two different strips of one name,
    such as other rows of the same subjects, are both kept."""
    captions: dict[str, str] = {}
    taken: dict[str, bytes] = {}
    for part in parts:
        for name, caption in part.meta.figures.items():
            path = part.folder / "figures" / name
            if not path.is_file():
                continue
            picture = path.read_bytes()
            free, count = name, 1
            while taken.get(free, picture) != picture:
                count += 1
                free = f"{path.stem}-{count}.png"
            taken[free], captions[free] = picture, caption
    for name, picture in taken.items():
        write_atomically(target / "figures" / name, picture)
    return captions
