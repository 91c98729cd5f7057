"""Complete results of shipped presets with figures that nobody measured."""

import json
import shutil

import pytest

from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.board_meta import board_meta
from impress_bench.benchmark.harness.runs.provenance import provenance
from impress_bench.benchmark.harness.runs.tables import (
    Frames,
    frames_of,
    save_frames,
)
from impress_bench.benchmark.submissions.writing import submit
from impress_bench.leaderboard.schema import PROTECTIONS

#: What some metrics may be; `{at}` counts up.
VALUES = {"psnr": 20.0, "psnr-background": 20.0, "ssim": 0.5, "vif-p": 0.3}
#: What a complete submission of the sample holds.
ROWS = ("identity", "sample-cloak", "random-noise[match=sample-cloak,within=mask]")
PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}


def value_of(metric, at, start):
    """A value that the metric can have, another for every `at`."""
    if "-top" in metric:
        return round(at % 3) / 2  # multiples of 1/2 are multiples of a share of 10 images too
    return VALUES.get(metric, 0.5) + start + at / 10_000


def _made_up(
    folder, protections=ROWS, start=0.1, states=(), distance=8 / 255, preset="quick", **values
):
    named = {} if protections is None else {"protections": list(protections)}
    preset = load_preset(preset).override({}, **named, **values)
    plan = make_plan(preset, Registry())
    frames = frames_of(plan, {})
    cells = frames.cells
    cells["value"] = [value_of(metric, at, start) for at, metric in enumerate(cells["metric"])]
    cells["state"], cells["reason"] = "done", ""
    for at, state in states:
        reason = f"protection x[a=1] is {state}, <b>so it is</b>\nhttps://example.org"
        cells.loc[at, ["value", "state", "reason"]] = [float("nan"), state, reason]
    rows = []
    for cell in plan.protections:
        moved = 0.0 if cell.place.protection == "identity" else distance
        for image in ("one", "two"):
            place = (cell.place.task, cell.place.subject, cell.place.protection)
            rows.append((*place, image, moved, 30 * moved, moved / 4, "done"))
    moved = PROTECTIONS.frame(rows)
    folder.mkdir(parents=True)
    save_frames(Frames(cells, moved, frames.inspections, frames.notes), folder)
    document = {**provenance(plan), "boards": board_meta(plan).stored()}
    (folder / "provenance.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def plugins(third_parties, monkeypatch):
    """Third parties' packages are installed here."""
    monkeypatch.syspath_prepend(str(third_parties))


@pytest.fixture
def made_up(plugins):
    """`made_up(folder, …)` is the folder of such a run; of `protections=None`, of all that the
    preset lists."""
    return _made_up


@pytest.fixture
def note():
    """`note(run, component, …)` has a run note something else of a component."""

    def noted(run, component, **changes):
        place = run / "provenance.json"
        document = json.loads(place.read_text())
        document["components"][component] |= changes
        place.write_text(json.dumps(document))

    return noted


@pytest.fixture(scope="session")
def written(third_parties, tmp_path_factory):
    """A complete run of a third party's protection, and its submission."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(third_parties))
        _made_up(folder / "run")
        submit("sample-cloak", folder / "run", folder / "submissions", **PIN)
    return folder


@pytest.fixture
def measured(written, plugins):
    """That run."""
    return written / "run"


@pytest.fixture
def submission(written, tmp_path):
    """A copy of that submission."""
    shutil.copytree(written / "submissions", tmp_path / "submissions")
    return tmp_path / "submissions" / "sample-cloak"


@pytest.fixture(scope="session")
def of_mini(third_parties, tmp_path_factory):
    """Results of the preset mini; beside them the run of a third party's protection by the preset
    submission, its submission, and what measured that again."""
    folder = tmp_path_factory.mktemp("of-mini")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(third_parties))
        _made_up(folder / "results" / "mini", None, preset="mini")
        _made_up(folder / "run", preset="submission")
        _made_up(folder / "again", start=0.2, preset="submission")
        submit("sample-cloak", folder / "run", folder / "submissions", **PIN)
    return folder
