"""Metrics of third parties, beside those of a task."""

import json

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.storage.store import Store

PLACE = ["subject", "protection", "purifier", "metric"]


def values(result):
    return result.cells.set_index(PLACE)[["value", "state", "reason"]]


def test_further_metrics_are_measured(bench):
    result = bench.run(metrics=["gap", "gap[factor=2]", "brightness"], subjects=1)
    assert result.exit_code == 0
    found = values(result)["value"].sort_index()
    for protection in ("clean", "shift", "control:blank"):
        for purifier in ("keep", "smooth") if protection != "control:blank" else ("",):
            cell = found["ada", protection, purifier]
            # The task says the same in levels of 255, with the other sign.
            assert cell["gap"] == pytest.approx(-cell["nearness"] / 255, abs=1e-6)
            assert cell["gap[factor=2]"] == pytest.approx(2 * cell["gap"], rel=1e-6)
    plan = make_plan(bench.preset(subjects=1), Registry())
    cell = next(c for c in plan.cells if c.place.parts == ("shift", "keep"))
    images = Store(bench.store).get(cell.exploited.key).images.images
    assert found["ada", "shift", "keep", "brightness"] == pytest.approx(images.mean() / 255, 1e-6)


def test_boards_show_them_by_their_titles(bench):
    result = bench.run(metrics=["gap"])
    board = (result.out / "boards" / "matrix-copying.md").read_text()
    assert "The gap" in board
    described = json.loads((result.out / "provenance.json").read_bytes())["boards"]["metrics"]
    assert described["copying"][-1] == {
        "name": "gap", "title": "The gap", "higher_is_better": False, "unit": "", "over": "image",
        "images": None, "scale": None, "primary": False,
    }  # fmt: skip


def test_nothing_but_the_metric_is_run_again(bench):
    bench.run()
    stages = bench.run(metrics=["gap"]).stages
    cells = 2 * (2 * 2 + 1)
    assert stages["executed"] == cells
    assert stages["reused"] > cells


def test_metrics_over_sets_have_one_value_per_cell(bench):
    """Beside the subject's own images or the exploit of the clean ones; skipped without enough."""
    result = bench.run(metrics=["drift", "faraway", "crowd"], subjects=1)
    assert result.exit_code == 0
    found = values(result).loc["ada"]
    plan = make_plan(bench.preset(subjects=1), Registry())
    store = Store(bench.store)

    def mean(stage):
        return store.get(stage.key).images.images.mean() / 255

    cells = {cell.place.parts: cell for cell in plan.cells}
    shift = cells["shift", "keep"]
    clean = mean(cells["clean", "keep"].exploited)
    drift = abs(mean(shift.exploited) - mean(shift.original))
    assert found.loc[("shift", "keep", "drift"), "value"] == pytest.approx(drift, abs=1e-6)
    faraway = found.loc[("shift", "keep", "faraway"), "value"]
    assert faraway == pytest.approx(abs(mean(shift.exploited) - clean), abs=1e-6)
    assert (
        "needs 3 images in each set, not 2 and 2" in found.loc["shift", "keep", "crowd"]["reason"]
    )
    described = json.loads((result.out / "provenance.json").read_bytes())["boards"]["metrics"]
    assert [metric["over"] for metric in described["copying"]] == ["image"] * 2 + ["set"] * 3


def test_a_metric_is_given_the_originals_and_both_texts(bench):
    found = values(bench.run(metrics=["wording"], protections=["clean"], subjects=1)).loc["ada"]
    plan = make_plan(bench.preset(subjects=1), Registry())
    cell = next(c for c in plan.cells if c.place.parts == ("clean", "keep"))
    store = Store(bench.store)
    copy, original = (store.get(s.key).images.images for s in (cell.exploited, cell.original))
    # "copy of one" and "copy of two" have 11 letters, "a hill" 6 and "a cow" 5.
    expected = 1100 + 5.5 + abs(copy.astype(float) - original).mean() / 255
    assert found.loc[("clean", "keep", "wording"), "value"] == pytest.approx(expected, abs=1e-4)
    blank = found.loc["control:blank", "", "wording"]
    assert blank["state"] == "skipped"
    assert "needs a text per image" in blank["reason"]


def test_a_broken_metric_costs_its_own_figures(bench):
    alone = values(bench.run("alone"))
    result = bench.run(metrics=["short", "torn", "odd", "brightness"])
    assert result.exit_code == 1
    found = values(result)
    assert found.loc[alone.index].equals(alone)
    reasons = found.groupby("metric")["reason"].first()
    assert "is not one finite value per image" in reasons["short"]
    assert "the ruler broke" in reasons["torn"]
    assert "is no metric" in reasons["odd"]
    states = found.groupby("metric")["state"].unique().map(list)
    assert states["short"] == states["torn"] == states["odd"] == ["failed"]
    assert states["brightness"] == ["done"]


def test_an_unknown_metric_is_the_users_to_mend(bench):
    with pytest.raises(ConfigError, match=r"Unknown metric 'gab'\. Did you mean: gap"):
        bench.run(metrics=["gab"])
    with pytest.raises(ConfigError, match=r"Unknown metric 'nearness'"):
        bench.run(metrics=["nearness"])


def test_lpips_of_an_edit_is_that_of_its_images():
    """The built-in metric against the function it stands for."""
    import torch

    from impress_bench.metrics import lpips
    from impress_bench.metrics.perceptual import PerceptualDistance

    images = torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(PerceptualDistance()(*images), lpips(*images))
    assert PerceptualDistance()(images[0], images[0]).abs().max() < 1e-6
