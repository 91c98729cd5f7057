"""A strip a subject: every condition that has pictures is a row, and the overview links to it."""

from PIL import Image

from impress_bench.benchmark.harness.figures import LEARNED, PAINTED


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
        assert width > (LEARNED + PAINTED) * 2 * 8


def test_a_condition_without_pictures_has_no_row(bench):
    whole = strips(bench.run())
    fewer = strips(bench.run(out="fewer", protections=["clean", "raising"]))
    assert fewer.keys() == whole.keys()
    assert all(fewer[name][1] < whole[name][1] for name in whole)
