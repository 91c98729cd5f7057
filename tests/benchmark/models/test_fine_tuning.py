"""What fine-tuning learns from: latents with the encoder's noise, or their means."""

from __future__ import annotations

import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.models import fine_tuning
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.benchmark.tasks.style_mimicry import StyleMimicry, StyleMimicrySettings


def test_means_are_the_encoder_s_without_its_noise(smooth_images, monkeypatch):
    model, images = load_model("atelier"), smooth_images(2, 64)

    def weights(**more):
        generator = torch.Generator().manual_seed(0)
        learned = fine_tune(
            model, images, ["a hill", "a cow"], steps=2, lr=1e-4, batch_size=2,
            generator=generator, **more,
        )  # fmt: skip
        return torch.cat([w.flatten() for w in learned.pipeline.unet.parameters()])

    means, sampled = weights(posterior_means=True), weights()
    assert not torch.equal(means, sampled)
    encoded = model.encode(images)
    noiseless = Posterior(mean=encoded, std=torch.zeros_like(encoded))
    monkeypatch.setattr(type(model), "posterior", lambda model, images: noiseless)
    assert (weights() - means).abs().max() < 1e-6


@pytest.mark.parametrize("wanted", [False, True])
def test_the_task_passes_its_setting_on(wanted, monkeypatch):
    settings = StyleMimicrySettings(works=2, samples=2, fine_tuning_posterior_means=wanted)
    task, seen = StyleMimicry(settings), []

    class Stop(Exception):
        pass

    def learn(*arguments, **named):
        seen.append(named["posterior_means"])
        raise Stop

    monkeypatch.setattr(fine_tuning, "fine_tune", learn)
    subject = task.subjects()[0]
    with pytest.raises(Stop):
        task.exploit(subject, task.originals(subject), None, 0, lambda done, total: None)
    assert seen == [wanted]
