"""The four tables: what a run stores has the declared columns, and places are unique."""

from __future__ import annotations

import pytest

from impress_bench.leaderboard.schema import CELL, CELLS, TABLES, control, is_control


def test_tables_have_places_and_values() -> None:
    assert CELLS.columns == [*CELL, "metric", "value", "state", "reason"]
    for table in TABLES.values():
        assert not set(table.place) & set(table.values)
        assert list(table.frame().columns) == table.columns
    row = ("t", "s", "p", "u", 0, "m", 0.5, "done", "")
    assert CELLS.frame([row]).iloc[0].to_dict() == dict(zip(CELLS.columns, row, strict=True))
    with pytest.raises(ValueError, match="columns"):
        CELLS.frame([row[:-1]])


def test_controls_are_written_where_protections_are() -> None:
    assert control("own-works") == "control:own-works"
    assert is_control(control("x"))
    assert not is_control("glaze")
