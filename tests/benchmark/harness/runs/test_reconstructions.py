"""Images beside their reconstructions: what is in them, and that a run is worth more than they."""

import base64
import io
from xml.etree import ElementTree as Xml

import numpy as np
from PIL import Image

from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs import reconstructions
from impress_bench.benchmark.harness.runs.reports import redraw
from impress_bench.benchmark.harness.storage.store import Store

NAME = "reconstructions-copying-ada"
SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


def tiles(path):
    """The images of an SVG from left to right and from top to bottom."""
    images = Xml.fromstring(path.read_bytes()).findall(f"{SVG}image")
    held = (base64.b64decode(image.attrib[LINK].partition(",")[2]) for image in images)
    return [np.asarray(Image.open(io.BytesIO(data))) for data in held]


def test_rows_are_the_published_images_and_what_the_model_makes_of_them(bench):
    result = bench.run()
    written = redraw(result.out, bench.store, bench.tmp_path / "drawn", forms=("svg",))
    (path,) = [path for path in written if path.stem == NAME]
    texts = [text.text for text in Xml.fromstring(path.read_bytes()).findall(f"{SVG}text")]
    assert texts[0] == "ada"
    assert texts[-2:] == ["Clean", "Shift"]
    store, found = Store(bench.store), {}
    for cell in make_plan(bench.preset(), Registry()).protections:
        if cell.place.subject == "ada":
            found[cell.place.protection] = store.get(cell.protected.key).images.images
    drawn = tiles(path)
    assert len(drawn) == 2 * 3 * 2
    for row, name in enumerate(("clean", "shift")):
        own, seen, changes = (drawn[6 * row + 2 * at : 6 * row + 2 * at + 2] for at in range(3))
        assert (np.stack(own) == found[name]).all()
        # The fake model's reconstruction, and the difference twice over, without a tensor.
        expected = np.rint(np.float32(0.5) * found[name] + np.float32(0.2 * 255))
        assert np.abs(np.stack(seen) - expected).max() <= 1
        amplified = (128 + 2.0 * (np.stack(seen).astype(float) - found[name])).clip(0, 255)
        assert (np.stack(changes) == amplified).all()


def test_a_picture_has_no_row_for_what_is_not_stored(bench):
    result = bench.run(protections=["clean", "raising"])
    written = redraw(result.out, bench.store, bench.tmp_path / "drawn", forms=("svg",))
    (path,) = [path for path in written if path.stem == NAME]
    assert len(tiles(path)) == 6


def test_a_run_that_inspects_draws_them_and_shows_them(bench):
    plain = bench.run(out="plain")
    assert not (plain.out / "figures" / f"{NAME}.png").exists()
    inspected = bench.preset(inspections=True)
    captions = reconstructions.reconstruction_captions(make_plan(inspected, Registry()))
    assert captions == {
        f"{NAME}.png": "ada: images, reconstructions by the model's autoencoder, and their"
        " differences, × 2"
    }
    result = bench.run(out="inspected", inspections=True)
    picture = result.out / "figures" / f"{NAME}.png"
    assert picture in result.figures
    assert picture.is_file()
    overview = (result.out / "boards" / "LEADERBOARD.md").read_text()
    assert f"](../figures/{NAME}.png)" in overview


def test_what_cannot_be_drawn_ends_no_run(bench, monkeypatch):
    def broken(*given):
        raise RuntimeError("no room")

    monkeypatch.setattr(reconstructions, "_rows", broken)
    result = bench.run(inspections=True)
    assert (result.out / "boards" / "LEADERBOARD.md").is_file()
    assert f"{NAME}.png is not drawn: RuntimeError: no room" in (result.out / "log.txt").read_text()
