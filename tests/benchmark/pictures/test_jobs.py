"""Protecting and purifying one's own folder: budgets, masks, what is left alone, exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impress_bench.benchmark.cli import main
from impress_bench.benchmark.pictures.command import run_job
from impress_bench.benchmark.pictures.fitting import FITTINGS, Resized, Tiled

GIVEN = {
    "model": "atelier", "preset": "paper", "fit": "resize", "masks": None, "seed": 0,
    "max_megapixels": 100.0, "force": False, "quiet": True,
}  # fmt: skip


def job(kind, spec, source, target, **options):
    return list(run_job(kind, spec, source, target, **{**GIVEN, **options}))


def smooth(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (image * 255).round() / 255


def save(path: Path, image: torch.Tensor) -> Path:
    path.parent.mkdir(exist_ok=True)
    pixels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(path)
    return path


def load(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


@pytest.mark.parametrize("fit", list(FITTINGS))
@pytest.mark.parametrize("size", [(64, 64), (50, 70), (200, 130), (1, 9), (64, 128)])
def test_no_change_is_no_change(fit, size):
    picture = smooth(*size)
    fitting = FITTINGS[fit](picture, 64)
    assert (fitting.restore(fitting.shown) - picture).abs().max() < 1e-6
    assert fitting.shown.shape[-2] % 16 == 0
    assert fitting.shown.shape[-1] % 16 == 0
    assert min(fitting.shown.shape[-2:]) == 64


def test_tiles_are_the_picture_s_own_pixels():
    picture = smooth(100, 150)
    tiles = Tiled(picture, 64)
    assert tiles.shown.shape == (6, 3, 64, 64)
    assert torch.equal(tiles.shown[1], picture[0, :, :64, 64:128])
    assert torch.equal(tiles.shown[3, :, :36], picture[0, :, 64:, :64])
    marked = tiles.shown.clone()
    marked[4] += 0.25
    assert torch.equal((tiles.restore(marked) - picture)[0, 0] != 0, _box(100, 150, 64, 64, 128))


def _box(height, width, top, left, right):
    box = torch.zeros(height, width, dtype=torch.bool)
    box[top:, left:right] = True
    return box


def test_a_change_is_carried_back_in_place_and_no_stronger():
    picture = smooth(256, 192) * 0.5 + 0.25
    fitting = Resized(picture, 64)
    assert fitting.shown.shape[-2:] == (80, 64)
    change = torch.zeros_like(fitting.shown)
    change[..., 20:40, 16:32] = 0.1
    carried = fitting.restore(fitting.shown + change) - picture
    assert carried.max() <= 0.1 + 1e-6
    assert carried[..., 80:112, 60:84].min() > 0.099
    assert carried[..., :50, :].abs().max() == 0


def test_a_protection_keeps_its_budget_at_full_size(tmp_path):
    save(tmp_path / "in/a.png", smooth(150, 100))
    (outcome,) = job(
        "protection", "glaze[steps=8,lr=0.05,linf=8/255,transfer_steps=2]", tmp_path / "in",
        tmp_path / "out",
    )  # fmt: skip
    assert outcome.state == "done", outcome.reason
    change = load(outcome.target) - load(tmp_path / "in/a.png")
    assert 4 < np.abs(change).max() <= 8
    assert outcome.distances["linf"] == pytest.approx(np.abs(change).max() / 255)
    length = np.sqrt(((change / 255) ** 2).sum())
    assert outcome.distances["l2"] == pytest.approx(length, rel=1e-4)


def test_an_image_does_not_depend_on_its_neighbours(tmp_path):
    for name, seed in {"a.png": 0, "b.png": 1}.items():
        save(tmp_path / "both" / name, smooth(64, 64, seed))
    save(tmp_path / "alone/b.png", smooth(64, 64, 1))
    spec = "gaussian-noise[std=0.1]"
    together = job("purifier", spec, tmp_path / "both", tmp_path / "out")[1]
    alone = job("purifier", spec, tmp_path / "alone", tmp_path / "out-alone")[0]
    assert np.array_equal(load(together.target), load(alone.target))
    other = job("purifier", spec, tmp_path / "alone", tmp_path / "out-other", seed=1)[0]
    assert not np.array_equal(load(other.target), load(alone.target))


def test_masks_say_where_photoguard_works(tmp_path):
    save(tmp_path / "in/a.png", smooth(128, 128))
    mask = torch.zeros(1, 3, 128, 128)
    mask[..., 32:96, 32:96] = 1
    save(tmp_path / "masks/a.png", mask)
    spec = "photoguard-encoder[steps=2]"
    (outcome,) = job(
        "protection", spec, tmp_path / "in", tmp_path / "out", masks=tmp_path / "masks"
    )
    change = np.abs(load(outcome.target) - load(tmp_path / "in/a.png")).max(2)
    assert change[40:88, 40:88].mean() > 1
    assert change[:28].max() == 0
    save(tmp_path / "in/b.png", smooth(128, 128))
    outcomes = job(
        "protection", spec, tmp_path / "in", tmp_path / "out-2", masks=tmp_path / "masks"
    )
    assert [outcome.state for outcome in outcomes] == ["done", "failed"]
    assert "has no mask" in outcomes[1].reason


def test_required_protections_run_first(tmp_path):
    save(tmp_path / "in/a.png", smooth(64, 64))
    spec = "random-noise[match=photoguard-encoder[steps=3]]"
    (outcome,) = job("protection", spec, tmp_path / "in", tmp_path / "out")
    assert outcome.state == "done"
    assert outcome.distances["lpips"] > 0


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """The command line in this process: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["impress-bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call


def test_the_verbs_tell_what_became_of_each_image(tmp_path, command):
    save(tmp_path / "in/a.png", smooth(40, 40))
    (tmp_path / "in/broken.png").write_bytes(b"")
    code, told, complaint = command("purify", "in", "out", "--purifier", "jpeg")
    assert code == 1
    assert "done in/a.png: L-infinity" in told
    assert complaint.strip() == "failed in/broken.png: the file is empty"
    (tmp_path / "in/broken.png").unlink()
    before = (tmp_path / "out/a.png").read_bytes()
    gentle = ("purify", "in", "out", "--purifier", "jpeg[quality=90]")
    code, told, _ = command(*gentle, "--json")
    assert code == 0
    assert [outcome["state"] for outcome in json.loads(told)] == ["exists"]
    assert (tmp_path / "out/a.png").read_bytes() == before
    command(*gentle, "--force")
    assert (tmp_path / "out/a.png").read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("purify", "in", "out", "--purifier", "jpg"), "Did you mean: jpeg?"),
        (("purify", "nowhere", "out", "--purifier", "jpeg"), "nowhere does not exist"),
        (("purify", "empty", "out", "--purifier", "jpeg"), "holds no image"),
        (("purify", "in", "in", "--purifier", "jpeg"), "folder of their own"),
        (("protect", "in", "out", "--protection", "glaze[p=-1]"), "p must be at least 0"),
        (("protect", "in", "out", "--protection", "glaze", "--masks", "gone"), "gone is no folder"),
        (("protect", "in", "out", "--protection", "glaze", "--model", "atelir"), "atelier"),
        (("protect", "in", "file/out", "--protection", "glaze"), "cannot make the folder"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(tmp_path, command, arguments, told):
    save(tmp_path / "in/a.png", smooth(8, 8))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    code, _, complaint = command(*arguments)
    assert code == 2
    assert told in complaint
    assert not (tmp_path / "out").exists()
