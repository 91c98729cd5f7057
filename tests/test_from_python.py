"""The Python of docs/from-python.md runs as it stands, in its order."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from PIL import Image

from impress_bench.benchmark.atelier import world

PAGE = (Path(__file__).parents[1] / "docs" / "from-python.md").read_text()
NOTEBOOK, RUN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with eight photos."""
    (tmp_path / "photos").mkdir()
    for index, photographer in enumerate((world.artists(movement="photography") * 8)[:8]):
        photo = world.paint(photographer, "portrait", "heldout", index)
        Image.fromarray(photo.image).save(tmp_path / "photos" / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPRESS_BENCH_STORE", str(tmp_path / "store"))
    return tmp_path


def test_notebook(place, capsys):
    matplotlib.use("Agg")
    names: dict = {}
    exec(compile(NOTEBOOK, "from-python.md", "exec"), names)
    assert "photoguard" not in capsys.readouterr().out  # the table is of purifiers
    table = names["table"]
    assert isinstance(table, pd.DataFrame)
    assert table.index.get_level_values("budget").unique().tolist() == [4 / 255, 8 / 255, 16 / 255]
    assert (table.loc["none", "linf"] <= table.loc["none"].index + 1e-6).all()
    assert (place / "consistency.png").stat().st_size > 1000
    assert len(list((place / "protected").glob("*/*.png"))) == 24


def test_notebook_is_at_most_twenty_lines():
    assert len([line for line in NOTEBOOK.splitlines() if line.strip()]) <= 20


def test_run(place, capsys):
    names: dict = {}
    exec(compile(RUN, "from-python.md", "exec"), names)
    assert "Table 2" in capsys.readouterr().out
    assert set(names["result"].cells["task"]) == {"malicious-editing"}
    assert all(path.is_file() for path in names["result"].figures)
    assert names["result"].figures
