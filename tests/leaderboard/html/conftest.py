"""Pages as tests read them: their tables as texts, their data, and every tag."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from impress_bench.leaderboard import Layout
from impress_bench.leaderboard.html import Source, write_site
from impress_bench.leaderboard.html.pictures import Album, Place, write_album
from impress_bench.leaderboard.meta import BoardMeta


class Page(HTMLParser):
    """Tables by identifier as rows of texts, tags with attributes, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = text
        self._at: list[list[str]] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag == "table":
            self._at = self.tables.setdefault(str(dict(attrs).get("id")), [])
        elif tag == "tr":
            self._at.append([])
        elif tag in ("th", "td"):
            self._at[-1].append("")
        elif tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "script":
            self.scripts[-1] += data
        elif {"th", "td"} & set(self._inside) and "span" not in self._inside:
            self._at[-1][-1] += data

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


#: What the small run cost: mist took gradients, and IMPRESS looked at the encoder's outputs.
COSTS = {
    "protect: protection glaze": {
        "stages": 2, "seconds": 5.0, "peak_bytes": 2**20,
        "passes": {"encoder backward": 80, "encoder forward": 90, "unet forward": 4,
                   "lpips forward": 4, "lpips backward": 0}},
    "protect: protection mist": {"stages": 2, "seconds": 50.0, "passes": {"lpips forward": 4}},
    "purify: purifier impress": {
        "stages": 4, "seconds": 2.0, "passes": {"encoder forward": 9, "lpips backward": 9}},
}  # fmt: skip


def noise(seed: int, side: int = 64) -> bytes:
    """A painting's size of noise around a slope, which no encoding makes much smaller."""
    generator = np.random.default_rng(seed)
    slope = np.linspace(40, 180, side)[:, None, None]
    values = slope + generator.integers(0, 64, (side, side, 3))
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(file, "WEBP", lossless=True, method=0)
    return file.getvalue()


def album(
    folder: Path, task: str, subject: str, rows: Mapping[str, Sequence[str]], side: int = 64
) -> Album:
    """An album in `folder` of one subject: a row per protection, with these purifiers."""
    pictures = {
        Place(task, subject, row): {
            purifier: (noise(64 * at + 2 * place, side), noise(64 * at + 2 * place + 1, side))
            for place, purifier in enumerate(purifiers)
        }
        for at, (row, purifiers) in enumerate(rows.items())
    }
    return write_album(pictures, Layout(BoardMeta(protections=list(rows))), folder)


@pytest.fixture
def source(
    cells: pd.DataFrame, protections: pd.DataFrame, inspections: pd.DataFrame, meta: Any
) -> Source:
    """The small run, with another protection."""
    more = cells[cells["protection"] == "glaze"].assign(protection="mist")
    more["value"] += [0.2 + 0.01 * (place % 3) for place in range(len(more))]
    cells = pd.concat([cells, more], ignore_index=True)
    seen = pd.concat([protections, protections.assign(protection="mist", lpips=0.09)])
    meta |= {"passes": {"glaze": 438.0, "mist": 903.0}}
    meta |= {"about": {"protection glaze": "Style cloak by feature distance."}}
    origin = {"components": {"protection glaze": {"source": "ca46937a", "parameters": {"p": 0.1}}},
              "packages": {"torch": "2.9"}, "preset": {"name": "mini"}, "seeds": [0]}  # fmt: skip
    return Source(
        "mini", cells, seen, inspections, None, BoardMeta.of(meta), ["Preset `mini`"], [origin],
        costs=COSTS,
    )  # fmt: skip


@pytest.fixture
def page_at() -> Callable[[Path], Page]:
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def page_of(tmp_path: Path, page_at: Callable[[Path], Page]) -> Callable[[Source], Page]:
    def page(source: Source) -> Page:
        write_site([source], tmp_path)
        return page_at(tmp_path / "index.html")

    return page
