"""The susceptibility of a model, from Python and from the command line."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from impress_bench.benchmark import load_model
from impress_bench.benchmark.api.susceptibility import susceptibility
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.cli import cli
from impress_bench.benchmark.errors import ConfigError

WORKS = [
    world.paint(world.artists("validation")[0], subject, "heldout", 0).image
    for subject in world.SUBJECTS[:2]
]


def test_as_written_out():
    """Ten signed steps towards zero and towards the other picture's latents."""
    model = load_model("atelier")
    found = susceptibility(model, np.stack(WORKS), radii=(8,), steps=10)
    assert found["target"].tolist() == ["zero", "another"] * 2
    images = torch.from_numpy(np.stack(WORKS)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        latents = model.encode(images)
    for row in found.itertuples():
        at = int(row.image)
        clean = images[at : at + 1]
        goal = latents[1 - at][None] if row.target == "another" else 0 * latents[:1]
        delta = torch.zeros_like(clean)
        for step in range(10):
            x = (clean + delta).requires_grad_()
            (g,) = torch.autograd.grad((model.encode(x) - goal).square().sum(), x)
            delta = (delta - 2 / 255 * (1 - step / 10) * g.sign()).clamp(-8 / 255, 8 / 255)
            delta = (clean + delta).clamp(0, 1) - clean
        with torch.no_grad():
            left = (model.encode(clean + delta) - goal).square().sum()
            whole = (latents[at : at + 1] - goal).square().sum()
        assert row.left == pytest.approx(float(left / whole), abs=0.02)
        assert row.left < row.left_noise, "noise covers some of it"
        signs = torch.randint(0, 2, clean.shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            aimless = model.encode((clean + 8 / 255 * (2 * signs - 1)).clamp(0, 1))
        moved = (aimless - latents[at]).square().sum() / latents[at].square().sum()
        assert row.signs == pytest.approx(float(moved), rel=0.05)


def test_the_calibrated_encoder_gives_way_and_the_one_before_does_not(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for at, work in enumerate(WORKS):  # cropped and resized to the model's size
        wide = np.concatenate([np.zeros((64, 8, 3), np.uint8), work, work[:, :8]], axis=1)
        Image.fromarray(wide).resize((160, 128)).save(folder / f"{at}.png")
    left = {}
    for name in ("atelier", "atelier-uncalibrated"):
        given = ["susceptibility", name, str(folder), "--steps", "20", "--json"]
        result = CliRunner().invoke(cli, given, catch_exceptions=False)
        records = json.loads(result.stdout)
        assert len(records) == 2 * 3 * 2
        left[name] = [r["left"] for r in records if (r["radius"], r["target"]) == (8, "zero")]
        assert "[12/12] attacks, 0 s left" in result.stderr
    assert max(left["atelier"]) < 0.3 < 0.5 < min(left["atelier-uncalibrated"])


def test_the_table_is_of_means(tmp_path):
    for at, work in enumerate(WORKS):
        Image.fromarray(work).save(tmp_path / f"{at}.png")
    given = ["susceptibility", "atelier", str(tmp_path), "--steps", "1"]
    result = CliRunner().invoke(cli, given, catch_exceptions=False)
    assert "Means over 2 pictures" in result.stdout
    assert len([line for line in result.stdout.splitlines() if "zero" in line]) == 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"images": WORKS[0]}, "two or more"),
        ({"radii": (0,)}, "radius must be above 0"),
        ({"radii": (300,)}, "radius must be at most 255"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"model": "ateljer"}, "Did you mean: atelier"),
    ],
)
def test_what_is_refused(given, told):
    with pytest.raises(ConfigError, match=told):
        susceptibility(**{"model": "atelier", "images": np.stack(WORKS), **given})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_told_at_once(tmp_path):
    given = ["susceptibility", "atelier", str(tmp_path), "--device", "cuda"]
    result = CliRunner().invoke(cli, given)
    assert isinstance(result.exception, ConfigError)
    assert "--device cuda: torch sees no GPU" in str(result.exception)
