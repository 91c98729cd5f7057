"""Picture strips: every condition that has pictures is a row, and the overview links to it."""

import importlib

import pytest
from click.testing import CliRunner
from PIL import Image

from impress_bench.benchmark.cli import cli
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.reports import redraw
from impress_bench.benchmark.tasks.base import Strip


def strips(result):
    folder = result.out / "figures"
    return {path.name: Image.open(path).size for path in sorted(folder.glob("copying-*.png"))}


def test_every_subject_has_a_strip_that_the_overview_shows(bench):
    result = bench.run()
    found = strips(result)
    assert len(found) == 2
    overview = (result.out / "boards" / "LEADERBOARD.md").read_text()
    for name, (width, _) in found.items():
        assert f"figures/{name}" in overview
        assert width > (Strip().given + Strip().made) * 2 * 8


def test_a_condition_without_pictures_has_no_row(bench):
    whole = strips(bench.run())
    fewer = strips(bench.run(out="fewer", protections=["clean", "raising"]))
    assert fewer.keys() == whole.keys()
    assert all(fewer[name][1] < whole[name][1] for name in whole)


def test_subjects_can_share_a_strip(bench, monkeypatch):
    """As photos do: one image each, given and made, side by side."""
    apart = strips(bench.run(out="apart"))
    task = importlib.import_module("fake_world").Copying
    monkeypatch.setattr(task, "strip", Strip(subjects=2, given=1, made=1))
    shared = strips(bench.run(out="shared"))
    assert len(apart) == 2
    assert len(shared) == 1
    (name,) = shared
    assert "-to-" in name
    assert f"figures/{name}" in (bench.tmp_path / "shared/boards/LEADERBOARD.md").read_text()


def test_drawncan_be_drawn_again_with_fewer_rows(bench):
    result = bench.run()
    folder = bench.tmp_path / "again"
    redraw(result.out, bench.store, folder)
    for path in folder.glob("figures/copying-*.png"):
        assert path.read_bytes() == (result.out / "figures" / path.name).read_bytes()
    assert len(list(folder.glob("figures/copying-*.png"))) == 2
    fewer = {"protections": ["shift"], "subjects": 1}
    path, _, album = redraw(result.out, bench.store, bench.tmp_path / "fewer", fewer)
    assert Image.open(path).size[1] < Image.open(result.out / "figures" / path.name).size[1]
    assert album == bench.tmp_path / "fewer" / "pictures" / "album.json"
    assert album.is_file()


def test_of_many_conditions_the_unpurified_and_the_reference_purifiers_are_drawn(
    bench, monkeypatch
):
    whole = strips(bench.run(out="whole"))
    monkeypatch.setattr("impress_bench.benchmark.harness.runs.strips.MOST", 2)
    result = bench.run(out="narrowed")
    assert all(size[1] < whole[name][1] for name, size in strips(result).items())
    overview = (result.out / "boards" / "LEADERBOARD.md").read_text()
    assert "(without a purifier and after the reference one)" in overview
    # Those that are left out are drawn where they are asked for.
    path, *_ = redraw(result.out, bench.store, bench.tmp_path / "asked", {"purifiers": ["smooth"]})
    assert path.is_file()


def test_drawnof_nothing_are_a_clear_error(bench, tmp_path):
    result = bench.run()
    with pytest.raises(ConfigError, match="holds no result of"):
        redraw(result.out, tmp_path / "other store")
    with pytest.raises(ConfigError, match="holds no run"):
        redraw(tmp_path, bench.store)


def test_damaged_pictures_are_named(bench):
    """Tiles stayed empty without a word."""
    result = bench.run(protections=["clean", "shift"])
    whole = {path.name: path.read_bytes() for path in result.out.glob("figures/*.png")}
    cell = next(one for one in make_plan(bench.preset(), Registry()).cells
                if one.place.parts == ("shift", "smooth"))  # fmt: skip
    stored = bench.store / "objects" / cell.purified.key[:2] / cell.purified.key
    for path in stored.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:-20])
    told = CliRunner().invoke(cli, ["figures", str(result.out), "--store", str(bench.store)])
    assert told.exit_code == 1, told.output
    (line,) = [line for line in told.output.splitlines() if line.startswith("damaged")]
    assert f"damaged: the stored result of purify {cell.place.task}/{cell.place.subject}" in line
    assert "`run` with this store makes it again" in line
    bench.run(protections=["clean", "shift"])
    told = CliRunner().invoke(cli, ["figures", str(result.out), "--store", str(bench.store)])
    assert told.exit_code == 0, told.output
    again = {name: (result.out / "figures" / name).read_bytes() for name in whole}
    assert whole == again


def test_drawnare_drawn_in_the_formats_that_are_asked_for(bench):
    result, folder = bench.run(), bench.tmp_path / "drawn"
    words = ["figures", str(result.out), "--store", str(bench.store), "--out", str(folder)]
    told = CliRunner().invoke(cli, [*words, "--format", "svg, png"])
    assert told.exit_code == 0, told.output
    found = {path.name for path in folder.glob("figures/*")}
    assert found | {"album.json"} == {path.rpartition("/")[2] for path in told.output.split()}
    drawn = [path.stem for path in result.out.glob("figures/copying-*.png")]
    assert {name for name in found if name.startswith("copying-")} == {
        f"{name}.{form}" for name in drawn for form in ("png", "svg")
    }
    told = CliRunner().invoke(cli, [*words, "--format", "png,pdf"])
    assert isinstance(told.exception, ConfigError)
    assert str(told.exception) == "--format: Unknown format 'pdf'. Available: png, svg"


def test_plots_are_drawn_of_the_whole_run_alone(bench, monkeypatch):
    result, drawn = bench.run(), []
    monkeypatch.setattr(
        "impress_bench.leaderboard.write.plot_tradeoff",
        lambda *given: drawn.append(given[-1]) or {},
    )
    redraw(result.out, bench.store, bench.tmp_path / "all", forms=("svg", "png"))
    assert drawn == ["svg", "png"]
    redraw(result.out, bench.store, bench.tmp_path / "one", {"subjects": 1}, forms=("svg",))
    assert drawn == ["svg", "png"]
