"""The shipped pack keeps what its model card claims, measured anew on paintings not used before."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.atelier.train.card import render
from impress_bench.benchmark.models.style_classifier import pack_classifiers
from impress_bench.metrics import lpips, psnr

CARD = json.loads((PACK / "model_card.json").read_text())


@pytest.fixture(scope="module")
def held_out():
    """One new held-out painting a subject by two artists of each movement."""
    works = [
        work
        for movement in world.MOVEMENTS
        for artist in world.artists("pretrain", movement)[:2]
        for work in world.paintings(artist, "heldout", 5, start=100)
    ]
    images = torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).float() / 255
    return images, [w.artist.movement for w in works]


@pytest.fixture(scope="module")
def reconstructed(held_out):
    with torch.no_grad():
        return load_model("atelier").reconstruct(held_out[0]).clamp(0, 1)


def test_reconstruction_is_as_good_as_the_card_says(held_out, reconstructed):
    images, _ = held_out
    with torch.no_grad():
        assert psnr(reconstructed, images).mean() > max(24, CARD["vae"]["psnr"] - 1)
        assert lpips(reconstructed, images).mean() < min(0.08, CARD["vae"]["lpips"] + 0.02)


@pytest.mark.parametrize("name", ["clip", "second"])
def test_classifiers_know_paintings_and_reconstructions(name, held_out, reconstructed):
    images, movements = held_out
    classifier = pack_classifiers(PACK)[name]
    for given, least in ((images, 0.90), (reconstructed, 0.85)):
        seen = [classifier.labels[i] for i in classifier.scores(given).argmax(1)]
        assert np.mean([a == b for a, b in zip(seen, movements, strict=True)]) >= least


def test_unconditional_and_titled_predictions_differ():
    model = load_model("atelier")
    noisy = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    at = torch.tensor([600])
    with torch.no_grad():
        plain, titled = (model.predict(noisy, at, [p]) for p in ("", "stained glass"))
    assert (plain - titled).abs().mean() > 0.01


def test_everything_is_safetensors_and_small():
    weights = [path for path in PACK.rglob("*") if path.suffix in {".bin", ".pt", ".pth", ".pkl"}]
    assert not weights
    assert sum(path.stat().st_size for path in PACK.rglob("*") if path.is_file()) < 40e6


def test_no_config_names_a_folder_of_the_machine_that_trained():
    for path in PACK.rglob("*.json"):
        assert "_name_or_path" not in path.read_text(), path


def test_the_readable_card_is_the_measured_one():
    assert (PACK / "README.md").read_text() == render("atelier", CARD)


def test_the_recipe_s_tokenizer_does_not_vary(tmp_path):
    """The library hashes words at random in every process; ties must not fall by that."""
    code = (
        "import sys; from pathlib import Path\n"
        "from impress_bench.benchmark.atelier.train.tokens import build_tokenizer\n"
        "build_tokenizer(Path(sys.argv[1]))"
    )
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()
