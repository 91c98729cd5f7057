"""The learned purifier, on random weights of its layout, against a naive version."""

from __future__ import annotations

import json

import pytest
import torch
from contexts import context
from diffusers import UNet2DModel

from impress_bench.attacks import Learned, PluginError
from impress_bench.attacks.testing import PurifierConformance
from impress_bench.benchmark.conformance import checks
from impress_bench.benchmark.contract import State
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import place_of


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    pixel_unet.new(3, 3, (8, 8, 16), groups=4).half().save_pretrained(folder)
    (folder / "trained_on.json").write_text(json.dumps({"trained_on": ["glaze", "mist"]}))
    return folder


def naive(images, folder):
    """Image by image; sides of multiples of four alone."""
    network = UNet2DModel.from_pretrained(folder).float().eval()
    made = []
    for image in images:
        with torch.no_grad():
            added = network(image[None] * 2 - 1, 0).sample[0] / 16
        made.append((((image - added).clamp(0, 1) * 255).round() / 255, added))
    return torch.stack([x for x, _ in made]), torch.stack([added for _, added in made])


def test_the_residual_is_subtracted_and_its_size_noted(weights, smooth_images):
    noted = {}
    images = smooth_images(2, 32)
    given = context(note=lambda name, values: noted.update({name: values}))
    purified = Learned(weights=str(weights))(images, given).images
    expected, added = naive(images, weights)
    assert (purified - expected).abs().max() < 1.01 / 255
    assert (purified != expected).float().mean() < 0.01  # halves, rounded either way
    assert not torch.equal(purified, images)
    assert noted["learned-residual-mean"] == pytest.approx(added.abs().mean((1, 2, 3)).tolist())
    rms = added.square().mean((1, 2, 3)).sqrt()
    assert noted["learned-residual-rms"] == pytest.approx(rms.tolist())


def test_odd_sides_are_continued_by_their_edges(weights, smooth_images):
    images = smooth_images(1, 32)[:, :, :30, :29]
    continued = torch.nn.functional.pad(images, (0, 3, 0, 2), mode="replicate")
    purified = Learned(weights=str(weights))(images, context()).images
    expected = Learned(weights=str(weights))(continued, context()).images[:, :, :30, :29]
    assert torch.equal(purified, expected)


def test_it_conforms(weights):
    class Case(PurifierConformance):
        def build(self):
            return Learned(weights=str(weights))

    for _, _, check in checks(Case()):
        check()


def test_gradients_pass(weights, smooth_images):
    images = smooth_images(1, 32).requires_grad_()
    Learned(weights=str(weights)).purify(images, context()).sum().backward()
    assert images.grad.abs().sum() > 0


def test_weights_say_what_they_were_trained_on(weights):
    assert Learned(weights=str(weights)).trained_on == ("glaze", "mist")


def test_without_weights_it_is_skipped(tmp_path, smooth_images):
    learned = Learned(weights=str(tmp_path / "nothing"))
    reason = learned.skip(None)
    assert reason.startswith(f"needs its network, and {tmp_path / 'nothing'} has none; train it by")
    with pytest.raises(PluginError, match="learned: needs its network") as raised:
        learned(smooth_images(1, 32), context())
    assert raised.value.state is State.SKIPPED


@pytest.mark.parametrize("name", ["learned", "learned-without-glaze"])
def test_the_pack_has_networks(name):
    learned = Learned(weights=f"pack:{name}")
    assert learned.skip(None) is None
    assert ("glaze" in learned.trained_on) == (name == "learned")
    assert sum(path.stat().st_size for path in place_of(learned.weights).iterdir()) < 4e6
