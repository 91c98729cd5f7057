"""Names on boards: what noise is matched to, what a chain is, titles, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impress_bench.benchmark import spec
from impress_bench.leaderboard import Layout, write_boards
from impress_bench.leaderboard.layout import base, parsed
from impress_bench.leaderboard.meta import BoardMeta

EMPTY = pd.DataFrame()
NOISE = "random-noise[match=glaze[p=0.05]]"


@pytest.mark.parametrize(
    ("noise", "protection"),
    [
        (NOISE, "glaze[p=0.05]"),
        ("random-noise[match=glaze+o-pgd[tau=1],within=mask]", "glaze+o-pgd[tau=1]"),
        ("random-noise[match=mist]", "mist"),
        ("random-noise", "glaze"),
        ("random-noise[linf=8/255]", None),
    ],
)
def test_noise_is_matched_to_the_protection_it_names(
    meta: Any, noise: str, protection: str | None
) -> None:
    assert Layout(BoardMeta.of(meta)).matched(noise) == protection


@pytest.mark.parametrize(
    ("name", "title"),
    [
        (NOISE, "Random noise as visible as GLAZE [p=0.05]"),
        ("random-noise[match=mist,within=mask]", "Random noise as visible as mist, in the mask"),
        ("random-noise[linf=8/255,match=mist]", "Random noise [linf=8/255,match=mist]"),
        ("random-noise[match=mist]+o-pgd", "Random noise [match=mist] + o-pgd"),
        ("random-noise", "Random noise"),
        ("glaze[match=mist]", "GLAZE [match=mist]"),
    ],
)
def test_the_title_of_noise_says_what_it_is_as_visible_as(meta: Any, name: str, title: str) -> None:
    told = meta | {"titles": {"random-noise": "Random noise", "glaze": "GLAZE"}}
    assert Layout(BoardMeta.of(told)).title(name) == title


def test_noise_matched_to_a_protection_with_parameters_gives_a_verdict(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    cells = build_cells(
        {
            ("glaze[p=0.05]", "none"): [[0.1, 0.10], [0.1, 0.11], [0.1, 0.12]] * 2,
            ("glaze[p=0.05]", "impress"): [[0.2, 0.20], [0.2, 0.21], [0.2, 0.22]] * 2,
            (NOISE, "none"): [[0.7, 0.70], [0.7, 0.71], [0.7, 0.72]] * 2,
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    assert "| survives" in (tmp_path / "boards/worst-case.md").read_text(encoding="utf-8")


def test_a_chain_is_not_its_first_purifier(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    """The reference purifier is compared with every other one, a chain that begins with it too."""
    chain = "impress[steps=5]>jpeg"
    assert base(chain) == "impress>jpeg"
    cells = build_cells(
        {("glaze", name): [0.4, 0.5] for name in ("none", "impress", "none>jpeg", chain)}
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    board = (tmp_path / "boards/table-1.md").read_text(encoding="utf-8")
    assert "| IMPRESS − IMPRESS [steps=5] > JPG" in board
    assert "| IMPRESS − No purifier > JPG" in board
    assert Layout(BoardMeta.of(meta)).condition("glaze", "none>jpeg") == "GLAZE, No purifier > JPG"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("gaussian-noise[std=0.05]>impress", "Noise [std=0.05] > IMPRESS"),
        ("jpeg[quality=15]", "JPG [quality=15]"),
        ("glaze[p=1]+consistency[weight=1]", "GLAZE [p=1] + Consistency [weight=1]"),
        ("my-cloak[p=1]", "my-cloak[p=1]"),
        ("control:no-such-thing", "No such thing"),
    ],
)
def test_titles(meta: Any, name: str, title: str) -> None:
    assert Layout(BoardMeta.of(meta)).title(name) == title


def test_each_name_is_parsed_once(meta: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand cells with forty names forty are parsed."""
    parsed.cache_clear()
    spec.parse_spec.cache_clear()
    split, calls = spec.split_top_level, []
    monkeypatch.setattr(spec, "split_top_level", lambda *a: calls.append(a) or split(*a))
    layout = Layout(BoardMeta.of(meta))
    names = [f"glaze[steps={i}]" for i in range(40)]
    for name in names * 2500:
        layout.kind(name)
    once = len(calls)
    assert once <= 4 * len(names)
    layout.protections(names * 10)
    assert [layout.title(name) for name in names][3] == "GLAZE [steps=3]"
    assert len(calls) == once
