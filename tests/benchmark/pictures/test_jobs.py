"""Protecting and purifying one's own folder: budgets, masks, what is left alone, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impress_bench.benchmark.pictures import fitting, jobs, measuring
from impress_bench.benchmark.pictures.command import run_job
from impress_bench.benchmark.pictures.fitting import FITTINGS
from impress_bench.benchmark.pixels import round_to_8bit, to_pixels

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


def fitted(fit, picture, change, mask=None):
    """A picture (1, 3, H, W) as pixels, changed and rounded to the nearest; what was shown."""
    shown = []

    def seen(images, masks, first):
        shown.append((images, masks, first))
        return round_to_8bit(change(images, first))

    made = FITTINGS[fit](to_pixels(picture)[0], mask, 64, seen, lambda new, old: round_to_8bit(new))
    return made.astype(int), shown


@pytest.mark.parametrize("fit", list(FITTINGS))
@pytest.mark.parametrize("size", [(64, 64), (50, 70), (200, 130), (1, 9), (64, 128), (2, 700)])
def test_no_change_is_no_change(fit, size):
    picture = smooth(*size)
    made, shown = fitted(fit, picture, lambda images, first: images)
    assert np.array_equal(made, to_pixels(picture)[0])
    for images, masks, _ in shown:
        assert masks is None
        assert images.shape[-2] % 16 == 0
        assert images.shape[-1] % 16 == 0
        assert min(images.shape[-2:]) == 64
        assert max(images.shape[-2:]) <= 256


def test_tiles_are_the_picture_s_own_pixels():
    picture = smooth(100, 150)

    def mark(images, first):
        marked = images.clone()
        marked[4] = (marked[4] + 0.25).clamp(0, 1)
        return marked

    mask = np.zeros((100, 150), bool)
    mask[70:, 140:] = True
    made, ((shown, masks, _),) = fitted("tile", picture, mark, mask)
    assert shown.shape == (6, 3, 64, 64)
    assert torch.equal(shown[1], picture[0, :, :64, 64:128])
    assert torch.equal(shown[3, :, :36], picture[0, :, 64:, :64])
    assert np.array_equal(masks[5, :36, :22].numpy(), mask[64:, 128:])
    assert not masks[:5].any()
    changed = (made != to_pixels(picture)[0]).any(axis=2)
    assert np.array_equal(changed, _box(100, 150, 64, 64, 128))


def _box(height, width, top, left, right):
    box = np.zeros((height, width), bool)
    box[top:, left:right] = True
    return box


def test_tiles_are_worked_on_in_batches(monkeypatch):
    """As many pixels at a time as one picture of 512; what comes out is the same."""
    assert fitting.BATCH_PIXELS == 512 * 512
    picture = smooth(300, 420)

    def darken(images, first):
        return images * (1 - (first + torch.arange(len(images))) / 100)[:, None, None, None]

    whole, once = fitted("tile", picture, darken)
    assert [len(images) for images, *_ in once] == [35]
    monkeypatch.setattr(fitting, "BATCH_PIXELS", 8 * 64 * 64 + 1)
    parts, batches = fitted("tile", picture, darken)
    assert [(len(images), first) for images, _, first in batches] == [
        (8, 0), (8, 8), (8, 16), (8, 24), (3, 32)
    ]  # fmt: skip
    assert np.array_equal(whole, parts)
    monkeypatch.setattr(fitting, "BATCH_PIXELS", 1)
    assert {len(images) for images, *_ in fitted("tile", picture, darken)[1]} == {1}


def test_a_change_is_carried_back_in_place_and_no_stronger(monkeypatch):
    picture = smooth(256, 192) * 0.5 + 0.25

    def paint(images, first):
        change = torch.zeros_like(images)
        change[..., 20:40, 16:32] = 0.1
        return images + change

    made, ((shown, *_),) = fitted("resize", picture, paint)
    assert shown.shape[-2:] == (80, 64)
    carried = made - to_pixels(picture)[0]
    assert carried.max() <= 27
    assert carried[80:112, 60:84].min() >= 25
    assert carried[:50].max() == 0
    monkeypatch.setattr(fitting, "STRIP_PIXELS", 5000)
    assert np.array_equal(fitted("resize", picture, paint)[0], made)


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
    assert outcomes[0].reason == "its mask keeps 25%"
    assert "has no mask" in outcomes[1].reason


def test_required_protections_run_first(tmp_path):
    save(tmp_path / "in/a.png", smooth(64, 64))
    spec = "random-noise[match=photoguard-encoder[steps=3]]"
    (outcome,) = job("protection", spec, tmp_path / "in", tmp_path / "out")
    assert outcome.state == "done"
    assert outcome.distances["lpips"] > 0


@pytest.fixture
def command(tmp_path, monkeypatch, in_process):
    """The command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return in_process


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


def test_a_protection_on_several_models_gets_them(tmp_path, command):
    save(tmp_path / "in/a.png", smooth(64, 64))
    base = "photoguard-encoder[steps=2]"
    for out, spec in {"one": base, "two": f"{base}+surrogates[models=atelier-second]"}.items():
        code, _, complaint = command("protect", "in", out, "--protection", spec)
        assert (code, complaint) == (0, "")
    assert (tmp_path / "one/a.png").read_bytes() != (tmp_path / "two/a.png").read_bytes()


def test_a_protection_that_does_not_heed_masks_is_told_from_one_that_does(tmp_path):
    save(tmp_path / "in/a.png", smooth(64, 64))
    mask = torch.zeros(1, 3, 64, 64)
    mask[..., :32] = 1
    save(tmp_path / "masks/a.png", mask)
    reasons = {}
    for within in ("image", "mask"):
        spec = f"random-noise[linf=0.1,within={within}]"
        folders = (tmp_path / "in", tmp_path / within)
        (outcome,) = job("protection", spec, *folders, masks=tmp_path / "masks")
        reasons[within] = outcome.reason
    assert reasons == {
        "image": "its mask keeps 50%, which this protection does not heed",
        "mask": "its mask keeps 50%",
    }


def test_a_protection_that_changes_nothing_says_so(tmp_path):
    save(tmp_path / "in/a.png", smooth(16, 16))
    (outcome,) = job("protection", "identity", tmp_path / "in", tmp_path / "out")
    assert (outcome.state, outcome.reason) == ("done", "no pixel was changed")


def test_what_does_not_fit_into_memory_costs_its_own_image(tmp_path, monkeypatch):
    """Whoever runs out of it: the file's reading, the plugin, or the distances."""
    for name, side in (("a.png", 8), ("b.png", 9), ("c.png", 10), ("d.png", 11)):
        save(tmp_path / "in" / name, smooth(side, side))

    def short(function, side, error):
        def measured(pixels, *more):
            if pixels.shape[1] == side:
                raise error
            return function(pixels, *more)

        return measured

    refused = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    monkeypatch.setattr(jobs, "measure", short(jobs.measure, 8, MemoryError()))
    monkeypatch.setattr(measuring, "to_tensor", short(measuring.to_tensor, 9, refused))
    monkeypatch.setitem(FITTINGS, "resize", short(FITTINGS["resize"], 10, MemoryError()))
    outcomes = job("purifier", "none", tmp_path / "in", tmp_path / "out")
    assert [outcome.state for outcome in outcomes] == [*["failed"] * 3, "done"]
    assert {outcome.reason for outcome in outcomes[:3]} == {
        "does not fit into memory; take --fit tile, or a smaller picture"
    }
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["d.png"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("purify", "in", "out", "--purifier", "jpg"), "Did you mean: jpeg?"),
        (("purify", "nowhere", "out", "--purifier", "jpeg"), "nowhere does not exist"),
        (("purify", "empty", "out", "--purifier", "jpeg"), "holds no image"),
        (("purify", "in", "in", "--purifier", "jpeg"), "folder of their own"),
        (("purify", "in", "out", "--purifier", "jpeg", "--masks", "in"), "sees no masks"),
        (("purify", "in", "out", "--purifier", "jpeg", "--max-megapixels", "0"), "max-megapixels"),
        (("protect", "in", "out", "--protection", "glaze[p=-1]"), "p must be at least 0"),
        (("protect", "in", "out", "--protection", "glaze", "--masks", "gone"), "gone is no folder"),
        (("protect", "in", "out", "--protection", "glaze", "--model", "atelir"), "atelier"),
        (("protect", "in", "out", "--protection", "glaze+surrogates[models=atelier]"),
         "atelier is one of the models already"),
        (("protect", "in", "file/out", "--protection", "glaze"), "cannot make the folder"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_any_work(tmp_path, command, arguments, told):
    save(tmp_path / "in/a.png", smooth(8, 8))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    code, _, complaint = command(*arguments)
    assert code == 2
    assert told in complaint
    assert not (tmp_path / "out").exists()
