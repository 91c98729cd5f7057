"""Several runs of one preset as one, such as an artist a machine or some rows a day.

Each part is a run that was narrowed (`--tasks`, `--subjects`, `--protections`, `--purifiers`,
`--seeds`). They must agree in everything else that results depend on, and in what they measured
twice.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.harness.costs import load_costs, save_costs
from impress_bench.benchmark.harness.errors import ConfigError
from impress_bench.benchmark.harness.files import make_folder, write_atomically
from impress_bench.benchmark.harness.frames import Frames, load_frames, save_frames
from impress_bench.benchmark.harness.presets import Preset
from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.write import COLUMNS

#: What parts may differ in: their share of the work and how it was guarded.
NARROWED = ("tasks", "protections", "purifiers", "metrics", "seeds", "subjects", "matrix",
            "isolate", "time_limit_s", "memory_limit_gb", "resources")  # fmt: skip
SHARED = ("key_schema", "device", "dtype", "models")
#: What a frame holds of a place; the other columns say where that is.
MEASURED = ("value", "state", "reason", "linf", "l2", "lpips")
UNITED = ("protections", "purifiers", "metrics", "controls", "chance")


@dataclass(frozen=True)
class Part:
    """A run's folder, what it was made of and what it measured."""

    folder: Path
    origins: list[dict[str, Any]]
    meta: dict[str, Any]
    frames: Frames


def merge(folders: Sequence[str | Path], out: str | Path) -> list[Path]:
    """Write the boards, tables and costs of all `folders` together into `out`, which may be one of
    them. Raises ConfigError for parts that do not belong together."""
    parts = [read_part(Path(folder)) for folder in folders]
    for part in parts[1:]:
        _agree(parts[0], part)
    meta = _united([part.meta for part in parts])
    frames = Frames(*(_frame(name, parts) for name in Frames._fields))
    costs = load_costs([part.folder for part in parts])
    target = make_folder(Path(out), "--out")
    meta["figures"] = _pictures(parts, target)
    origins = [origin for part in parts for origin in part.origins]
    unlike = [one for at, one in enumerate(origins) if one not in origins[:at]]
    document = json.dumps({"parts": unlike, "boards": meta}, indent=1, ensure_ascii=False)
    write_atomically(target / "provenance.json", document.encode())
    save_frames(frames, target)
    save_costs(costs, target)
    return write_boards(*frames[:3], meta, target, notes=frames.notes)


def read_part(folder: Path) -> Part:
    """What a run, or runs merged before, left in a folder. Raises ConfigError."""
    try:
        document = json.loads((folder / "provenance.json").read_bytes())
        meta = document.pop("boards")
        frames = load_frames(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{folder} holds no results of a run ({error}); name the folder given to run as --out"
        ) from None
    return Part(folder, document.get("parts", [document]), meta, frames)


def _agree(first: Part, second: Part) -> None:
    """Refuse parts whose results come from unlike code, settings or models."""
    one, other = first.origins[0], second.origins[0]
    for name in SHARED:
        _same(name, one[name], other[name], first, second)
    # What an older part does not have is a default.
    these, those = (
        Preset.model_validate(origin["preset"]).model_dump(mode="json") for origin in (one, other)
    )
    for name in these:
        if name not in NARROWED:
            _same(f"preset.{name}", these[name], those[name], first, second)
    known: dict[str, Any] = {}
    for origin in first.origins:
        known |= origin["components"]
    for origin in second.origins:
        for name, identity in origin["components"].items():
            _same(name, known.get(name, identity), identity, first, second)


def _same(what: str, one: Any, other: Any, first: Part, second: Part) -> None:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        name = next(key for key in {**one, **other} if one.get(key) != other.get(key))
        _same(f"{what}.{name}", one.get(name), other.get(name), first, second)
    raise ConfigError(
        f"{first.folder} and {second.folder} differ in {what}: {one} and {other}; only parts of"
        " one preset, run with the same code, can be merged"
    )


def _united(metas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What boards need, in the order in which the parts were named."""
    united: dict[str, Any] = dict(metas[0])
    for name in UNITED:
        if isinstance(united[name], dict):
            united[name] = {key: value for meta in metas for key, value in meta[name].items()}
        else:
            united[name] = list(dict.fromkeys(value for meta in metas for value in meta[name]))
    return united


def _frame(name: str, parts: Sequence[Part]) -> pd.DataFrame:
    """One frame of all parts: what was run beats what was not, and what was done what failed."""
    where = [column for column in COLUMNS[name] if column not in MEASURED]
    found: dict[Hashable, tuple[Part, Any]] = {}
    for part in parts:
        frame: pd.DataFrame = getattr(part.frames, name)
        for place, row in zip(
            frame[where].itertuples(index=False, name=None),
            frame.itertuples(index=False),
            strict=True,
        ):
            if place not in found or _better(row, found[place][1]):
                found[place] = (part, row)
            elif not _better(found[place][1], row) and not _equal(row, found[place][1]):
                raise ConfigError(
                    f"{found[place][0].folder} and {part.folder} both measured"
                    f" {', '.join(map(str, filter(None, map(str, place))))}, with different"
                    " results; narrow one of them"
                )
    return pd.DataFrame(
        [row for _, row in found.values()], columns=getattr(parts[0].frames, name).columns
    )


def _better(one: Any, other: Any) -> bool:
    return _rank(one) > _rank(other)


def _rank(row: Any) -> int:
    state = getattr(row, "state", State.DONE)
    return 0 if state == State.MISSING else 2 if state == State.DONE else 1


def _equal(one: Any, other: Any) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


def _pictures(parts: Sequence[Part], target: Path) -> dict[str, str]:
    """Copy the strips of all parts, and say which caption belongs to which; two unlike strips of
    one name, such as other rows of the same subjects, are both kept."""
    captions: dict[str, str] = {}
    taken: dict[str, bytes] = {}
    for part in parts:
        for name, caption in part.meta.get("figures", {}).items():
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
