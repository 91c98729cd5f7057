"""The recipes, from an empty pack to a measured one, at widths and steps that take seconds."""

from __future__ import annotations

import json
import math
from functools import lru_cache

import pytest
import torch

from impress_bench.benchmark.atelier import UNCALIBRATED, world
from impress_bench.benchmark.atelier.train import (
    calibration,
    card,
    clip,
    denoiser,
    encoder,
    figures,
    inpainter,
    job,
    vae,
)
from impress_bench.benchmark.atelier.train.__main__ import main
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.atelier.train.sizes import MODELS, Sizes
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU")
TINY = Sizes(seed=0, vae=(4, 4, 4), unet=(16, 16, 16), vae_groups=2)


@lru_cache
def few(folder, role, split, count, subjects=world.SUBJECTS, movement=None):
    """At most ten paintings by one artist of two movements, or of the one asked for."""
    artists = [world.artists(role, m)[:1] for m in world.MOVEMENTS if movement in (None, m)]
    artists = [artist for first in artists for artist in first][-2:]
    count = min(count, 10 if len(subjects) > 1 else 4)
    return PaintedSet.of(
        [work for a in artists for work in world.paintings(a, split, count, subjects=subjects)]
    )


@pytest.fixture
def train(tmp_path, monkeypatch):
    """`train(part, *options)` as the command line runs it, on `few` and at `TINY` widths."""
    monkeypatch.setattr(job, "painted", lambda folder, *rest: few(None, *rest))
    monkeypatch.setitem(MODELS, "atelier", TINY)
    for module in (vae, encoder, denoiser, clip, inpainter):
        monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(encoder, "PHOTOGRAPHS", 2)
    for module, name in (
        (calibration, "STEPS"),
        (calibration, "MANY_STEPS"),
        (figures, "ATTACK_STEPS"),
    ):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(figures, "STEPS", 2)

    def run(part, *options):
        folders = ("--work", str(tmp_path / "work"), "--pack", str(tmp_path / "pack"))
        main([part, *folders, "--steps", "2", *options])

    return run


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=CUDA)])
def test_recipes_make_a_pack_in_their_order(device, train, tmp_path, capsys):
    pack = tmp_path / "pack"
    for part in card.RECIPES:
        train(part, "--device", device)
    cards = json.loads((pack / "model_card.json").read_text())
    assert set(cards) == set(card.RECIPES)
    assert all(entry["steps"] == 2 for entry in cards.values())
    numbers = [n for entry in cards.values() for n in entry.values() if isinstance(n, float)]
    assert len(numbers) > 40
    assert all(map(math.isfinite, numbers))
    assert set(cards["encoder"]["left_zero_7.65_by_movement"]) == {"woodcut", "photography"}
    assert cards["denoiser"]["judges"] == "this pack"  # measured anew once there were classifiers
    model = LatentDiffusion.from_pretrained(pack, device)
    assert model.inpainting_unet.config.in_channels == 9
    latents = model.encode(torch.rand(1, 3, 64, 64))
    assert latents.device.type == device
    assert latents.std() * model.latent_scale > 0.1

    capsys.readouterr()
    train("inpainter", "--device", device, "--steps", "3")
    assert "inpainter: resumed at step 2" in capsys.readouterr().out

    before = (pack / UNCALIBRATED).read_bytes()
    train("vae", "--device", device, "--steps", "3")
    assert not (pack / UNCALIBRATED).exists()
    cards = json.loads((pack / "model_card.json").read_text())
    assert "encoder" not in cards
    assert cards["clip"]["older_than"] == ["vae"]
    with pytest.raises(SystemExit):
        train("denoiser")
    assert "denoiser needs encoder" in capsys.readouterr().err
    train("encoder", "--device", device)
    assert "encoder: started afresh" in capsys.readouterr().out
    assert (pack / UNCALIBRATED).read_bytes() != before
