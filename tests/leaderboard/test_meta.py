"""What is stored of a run for its boards: today's form, and that of results stored before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard import Layout
from impress_bench.leaderboard.meta import BoardMeta

RESULTS = sorted((Path(__file__).parents[2] / "leaderboard/results").glob("*/provenance.json"))


def test_a_document_and_back(meta: Any) -> None:
    found = BoardMeta.of(meta | {"roles": {"noise": ["hiss"]}})
    again = BoardMeta.of(json.loads(json.dumps(found.stored())))
    assert again == found
    assert again.roles.noise == ("hiss",)
    assert again.roles.clean == "identity"


@pytest.mark.parametrize("wrong", [{"modle": "x"}, {"roles": {"cleen": "x"}}, {"chance": [1]}])
def test_wrong_keys_and_types_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BoardMeta.of(wrong)


def test_metrics_without_units_are_shares_if_they_have_a_chance() -> None:
    stored = {
        "metrics": {"t": [{"name": "top1", "title": "Top-1", "higher_is_better": True},
                          {"name": "psnr", "title": "PSNR", "higher_is_better": True}]},
        "chance": {"top1": 0.1},
    }  # fmt: skip
    first, second, third = Layout(BoardMeta.of(stored)).metrics("t", ["psnr", "top1", "other"])
    assert first == MetricInfo("top1", "Top-1", True, "%")
    assert second == MetricInfo("psnr", "PSNR", True)
    assert third == MetricInfo("other", "other", None)
    stored["metrics"]["t"][0]["unit"] = ""
    assert not Layout(BoardMeta.of(stored)).metrics("t", ["top1"])[0].percent


def test_every_published_result_can_be_read() -> None:
    assert RESULTS
    for path in RESULTS:
        stored = json.loads(path.read_bytes())["boards"]
        assert BoardMeta.of(stored).preset == stored["preset"]
