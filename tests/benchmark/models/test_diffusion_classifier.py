"""The diffusion classifier against a naive loop over every timestep, noise and label."""

from __future__ import annotations

from itertools import accumulate, chain

import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.models.diffusion_classifier import DiffusionClassifier
from impress_bench.benchmark.seeds import per_image_generators

LABELS = ("engraving", "pop art", "baroque", "mosaic", "ink wash", "cubism", "photography")


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def generator():
    return torch.Generator().manual_seed(5)


def test_released_schedule_evaluates_each_timestep_once(model):
    """Cumulatively 20, 70, 150 and 500 of 1, 3, …, 999, as the released code counts them."""
    rounds = DiffusionClassifier(model, LABELS).schedule()
    assert [added[:2] for added in rounds[:3]] == [[25, 75], [11, 31], [5, 15]]
    assert list(accumulate(map(len, rounds))) == [20, 70, 150, 500]
    assert sorted(chain(*rounds)) == list(range(1, 1000, 2))


def test_a_naive_loop_keeps_the_same_labels(model, smooth_images):
    images, rounds, keep = smooth_images(2, 64), (3, 4, 6), (4, 2, 2)
    classifier = DiffusionClassifier(model, LABELS, "{}", rounds, keep, batch_size=5)
    got = classifier.ranks(images, generator())
    alphas = model.pipeline.scheduler.alphas_cumprod
    for i, stream in enumerate(per_image_generators(generator(), 2)):
        clean = model.encode(images[i : i + 1])[0] * model.latent_scale
        alive, errors, order = list(LABELS), {label: [] for label in LABELS}, []
        for added, left in zip(classifier.schedule(), keep, strict=True):
            noises = torch.randn((len(added), *clean.shape), generator=stream)
            for t, noise in zip(added, noises, strict=True):
                noisy = alphas[t] ** 0.5 * clean + (1 - alphas[t]) ** 0.5 * noise
                for label in alive:
                    with torch.no_grad():
                        predicted = model.predict(
                            noisy[None], torch.tensor([t]), model.embed([label])
                        )[0]
                    errors[label].append(float((predicted - noise).square().mean()))
            ranked = sorted(alive, key=lambda label: sum(errors[label]) / len(errors[label]))
            order = ranked[left:] + order
            alive = ranked[:left]
        expected = [*alive, *order]
        assert [LABELS[k] for k in got[i].argsort()] == expected


def test_adaptive_rounds_cost_a_third_of_all_passes(model, smooth_images, monkeypatch):
    labels = tuple(f"style {i}" for i in range(17))
    classifier = DiffusionClassifier(model, labels, "{}", (4, 8, 32), (5, 3, 3))
    passed = []
    unet = type(model.pipeline.unet)
    forward = unet.forward
    monkeypatch.setattr(
        unet, "forward", lambda self, *a, **k: passed.append(len(a[0])) or forward(self, *a, **k)
    )
    classifier.ranks(smooth_images(1, 64), generator())
    timesteps = sum(map(len, classifier.schedule()))
    assert timesteps == 32
    assert sum(passed) <= 17 * timesteps / 3


def test_images_do_not_depend_on_their_neighbours(model, smooth_images):
    images = smooth_images(3, 64)
    classifier = DiffusionClassifier(model, LABELS, "{}", (2,), (3,))
    together = classifier.ranks(images, generator())
    assert torch.equal(together[:1], classifier.ranks(images[:1], generator()))


def test_rounds_and_keep_go_together(model):
    with pytest.raises(ValueError, match="as many keep"):
        DiffusionClassifier(model, LABELS, rounds=(4, 8), keep=(3,))
    with pytest.raises(ValueError, match="positive"):
        DiffusionClassifier(model, LABELS, rounds=(4,), keep=(0,))
