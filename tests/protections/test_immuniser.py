"""The protection in one pass: what it computes, what it refuses, that a network learns it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.atelier.train import job
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.atelier.train.recipes import immuniser as recipe
from impress_bench.benchmark.atelier.train.sizes import MODELS
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.digest import folder_digest
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import SHIPPED_IN, place_of
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.benchmark.spec import parse_spec
from impress_bench.protections import Immuniser, PhotoGuardEncoder
from impress_bench.protections.testing import ProtectionConformance, signs


def few(folder, role, split, count, subjects=world.SUBJECTS, movement=None):
    """Some works of each photographer; in place of paintings, of two painters."""
    artists = world.artists(role, movement)[:: 1 if movement else 30]
    return PaintedSet.of(
        [
            work
            for a in artists
            for work in world.paintings(a, split, min(count, 12), subjects=subjects)
        ]
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a small network, trained for seconds, and what its card says."""
    folder = tmp_path_factory.mktemp("immuniser")
    shutil.copytree(PACK / "vae", folder / "pack" / "vae")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "painted", few)
        for name, value in {"WIDTHS": (16, 16), "BATCH": 8, "ATTACK_STEPS": 5}.items():
            patch.setattr(recipe, name, value)
        order = job.Job(folder / "work", folder / "pack", 120, MODELS["atelier"])
        card = recipe.train_immuniser(order)
    return folder / "pack" / "plugins" / "immuniser", card


@pytest.fixture(scope="module")
def photos():
    works = [
        world.paint(artist, "portrait", "finetune", 0)
        for artist in world.artists(None, "photography")
    ]
    images = torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(np.stack([w.head_mask for w in works]))


@pytest.fixture
def conformance(trained):
    class Case(ProtectionConformance):
        def build(self):
            return Immuniser(weights=str(trained[0]))

    return Case()


@pytest.mark.parametrize(
    "check", [name for name in dir(ProtectionConformance) if name.startswith("test_")]
)
def test_it_conforms(conformance, check):
    getattr(conformance, check)()


def test_it_is_one_pass_of_the_network(trained, photos):
    images, keep = photos
    network = pixel_unet.load(trained[0], torch.device("cpu"))
    protected = Immuniser(linf=8 / 255, weights=str(trained[0]))(images, context(masks=keep))
    for i, image in enumerate(images):
        mask = keep[i].float()
        seen = torch.zeros(4, 64, 64)
        for channel in range(3):
            seen[channel] = torch.where(keep[i], 2 * image[channel] - 1, 0)
        seen[3] = mask / 2  # 8 of 16 levels
        with torch.no_grad():
            delta = torch.tanh(network(seen[None], 0).sample[0]) * 8 / 255
        expected = (image + delta * mask).clamp(0, 1)
        # Rounded towards the original, so by less than a level.
        gap = (expected - protected.images[i]) * (protected.images[i] - image).sign()
        assert gap.min() > -1e-5
        assert (expected - protected.images[i]).abs().max() < 1 / 255
        outside = ~keep[i].expand(3, -1, -1)
        assert torch.equal(protected.images[i][outside], image[outside])


def losses(plugin, photos, levels):
    """PhotoGuard's loss on photos as they are, under noise and under the protection."""
    images, keep = photos
    model = load_model("atelier")
    protected = plugin(images, context(model=model, masks=keep)).images
    attack = PhotoGuardEncoder()
    streams = per_image_generators(torch.Generator().manual_seed(0), len(images))
    state = attack.prepare(images, context(model=model, masks=keep), streams)
    with torch.no_grad():
        return tuple(
            attack.loss(state, x, 0, streams).sum()
            for x in (images, signs(images, levels / 255), protected)
        )


@pytest.mark.parametrize("levels", [4, 16])
def test_it_lowers_photoguards_loss_twice_as_far_as_noise(trained, photos, levels):
    """On photos that it has not seen, whether a bound is loose or tight."""
    plugin = Immuniser(linf=levels / 255, weights=str(trained[0]))
    clean, noise, passed = losses(plugin, photos, levels)
    assert clean - passed > 2 * (clean - noise).abs()


def test_the_network_in_the_pack_takes_most_of_the_loss(photos):
    clean, noise, passed = losses(Immuniser(linf=8 / 255), photos, 8)
    assert passed < 0.2 * clean
    assert noise > 0.9 * clean


def test_the_card_compares_with_an_attack_and_with_signs(trained):
    _, card = trained
    assert card["parameters"] > 0
    for levels in recipe.MEASURED:
        assert card[f"left_{levels}"] < card[f"left_signs_{levels}"]
        assert 0 < card[f"left_shared_{levels}"] < 1
        assert card[f"left_pgd_{levels}"] < card[f"left_signs_{levels}"]
    assert card["left_16"] < card["left_4"]
    assert card["lpips_16"] > card["lpips_4"]


def test_the_network_that_ships_is_small():
    network = pixel_unet.new(4, 3, recipe.WIDTHS)
    assert 2 * sum(parameter.numel() for parameter in network.parameters()) < 3.9e6  # float16


def test_any_size_is_protected(trained, photos):
    images = photos[0][..., :61, :43]
    protected = Immuniser(weights=str(trained[0]))(images, context())
    assert protected.images.shape == images.shape
    assert (protected.linf > 1 / 255).all()


def test_without_weights_it_is_skipped(tmp_path, photos):
    plugin = Immuniser(weights=str(tmp_path))
    assert "train immuniser --pack DIR" in plugin.skip("photo-01", None)
    with pytest.raises(PluginError, match="immuniser: needs its network") as caught:
        plugin(photos[0], context())
    assert caught.value.state is State.SKIPPED


def test_weights_decide_its_identity_and_are_no_part_of_the_model(trained, tmp_path):
    assert place_of("pack:immuniser") == SHIPPED_IN / "immuniser"
    weights = tmp_path / "plugins" / "immuniser"
    (tmp_path / "config.json").write_text("{}")
    before = folder_digest(tmp_path)
    shutil.copytree(trained[0], weights)
    assert folder_digest(tmp_path) == before

    def identity():
        return Registry().resolve("protections", parse_spec(f"immuniser[weights={weights}]"))

    first = identity().identity()
    assert first == identity().identity()
    (weights / "config.json").write_text("{}")
    assert first["files"] != identity().identity()["files"]
