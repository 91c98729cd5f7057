"""What a published set of results says of subjects that it does not have."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.benchmark.submissions.publishing.publish import publish
from impress_bench.benchmark.submissions.publishing.unrun import unrun, unrun_lines
from impress_bench.leaderboard.meta import BoardMeta

RESULTS = Path(__file__).parents[3] / "leaderboard" / "results"


def results(preset, **subjects):
    places = [(task, name) for task, names in subjects.items() for name in names]
    cells = pd.DataFrame(places, columns=["task", "subject"])
    return SimpleNamespace(meta=BoardMeta(preset=preset), frames=SimpleNamespace(cells=cells))


def test_subjects_without_a_cell_are_named_by_task():
    photos = [f"photo-0{n}" for n in (1, 2, 4, 6)]
    artists = ["Hugo Merriwell", "Otto Wexford", "Julian Roche", "Shun Ogata", "Auguste Perrin"]
    tasks = {"malicious-editing": photos, "style-mimicry": [*artists, "Marcus Aldine"]}
    part = results("mini", **tasks)
    assert unrun(part) == {"malicious-editing": ["photo-03", "photo-05"]}
    alone = unrun(results("mini", **{"style-mimicry": artists}))
    assert alone["style-mimicry"] == ["Marcus Aldine"]
    assert len(alone["malicious-editing"]) == 6


def test_of_a_preset_that_is_not_ours_nothing_is_said():
    assert unrun(results("mine", **{"style-mimicry": ["Hugo Merriwell"]})) == {}
    assert list(unrun_lines(BoardMeta())) == []


def test_the_first_line_and_the_facts_of_a_set_say_so(tmp_path, monkeypatch):
    whole = read_part(RESULTS / "mini")
    cells = whole.frames.cells
    cells = cells[~cells["subject"].isin(["Marcus Aldine", "photo-03"])]
    (tmp_path / "results" / "mini").mkdir(parents=True)
    less = SimpleNamespace(
        folder=tmp_path / "results" / "mini", origins=whole.origins, meta=whole.meta,
        frames=whole.frames._replace(cells=cells),
    )  # fmt: skip
    monkeypatch.setattr(
        "impress_bench.benchmark.submissions.publishing.publish.read_part", lambda folder: less
    )
    page = tmp_path / "LEADERBOARD.md"
    publish(tmp_path / "results", tmp_path / "submissions", page, tmp_path / "measured")
    text = page.read_text()
    assert "Malicious editing: 5 of 6 subjects; Style mimicry: 5 of 6 subjects)" in text
    overview = (tmp_path / "results" / "mini" / "boards" / "LEADERBOARD.md").read_text()
    assert "Malicious editing: 5 of 6 subjects; Style mimicry: 5 of 6 subjects." in overview
    line = "Style mimicry of Marcus Aldine; Malicious editing of photo-03"
    assert f"- Of the preset's subjects not run: {line}" in text
