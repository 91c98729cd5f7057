"""Each protection and purifier beside nothing but the passes through networks that it needs.

The bare side makes the same passes, forward and backward, in batches of eight: those of the loop,
of references and targets, and of the budget's LPIPS, and does nothing with them. That they are as
many is asserted here, that they are no more than needed in
tests/benchmark/harness/stages/test_minimal_passes.py. The ratio of times goes into `extra_info`;
nothing is asserted about it.
"""

from __future__ import annotations

import copy

import pytest
import torch

from impress_bench import attacks, protections
from impress_bench.benchmark import Context
from impress_bench.benchmark.harness.stages.passes import Passes
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import lpips_budget, lpips_to
from impress_bench.protections.objectives.trained_surrogate import attention, cross_attention_kv

pytestmark = pytest.mark.speed

STEPS = 3
BATCH = 8


class Bare:
    """Passes, and nothing done with what they give."""

    def __init__(self, model, images):
        self.model = model
        self.images = images
        self.prompt = model.embed(["a painting"]).expand(len(images)).tensors["text"]
        self.noisy = torch.randn(model.encode(images).shape)
        self.times = torch.full((len(images),), 500)
        self.learner = copy.deepcopy(model.pipeline.unet)

    def encode(self, images):
        return self.model.encode(images) * self.model.latent_scale

    def unet(self, latents, unet=None):
        unet = unet or self.model.pipeline.unet
        times = self.times[: len(latents)]
        return unet(latents, times, encoder_hidden_states=self.prompt[: len(latents)]).sample

    def descend(self, value, steps=STEPS):
        """`steps` gradients of `value` in the images."""
        for _ in range(steps):
            x = self.images.clone().requires_grad_(True)
            torch.autograd.grad(value(x).sum(), x)

    def measure(self):
        """LPIPS of the published images."""
        with torch.no_grad():
            lpips_budget(self.images, self.images)

    def reference(self, times=1):
        with torch.no_grad():
            for _ in range(times):
                self.encode(self.images)

    def learn(self, steps, trains, batch):
        """Fine-tuning of the weights that `trains` names, but for the optimiser."""
        for name, weight in self.learner.named_parameters():
            weight.requires_grad_(trains(name))
        for _ in range(steps):
            self.unet(self.noisy[:batch], self.learner).sum().backward()
            self.learner.zero_grad(set_to_none=True)

    def glaze(self):
        self.reference(2)
        with torch.no_grad():
            self.model.decode(self.noisy)
            self.unet(torch.cat([self.noisy[:4]] * 2))
            self.unet(torch.cat([self.noisy[4:]] * 2))
        distance = lpips_to(self.images, resize=224)
        # Nothing goes back through a hinge that does not hold.
        self.descend(lambda x: self.encode(x).sum() + distance(x.detach()).sum())
        self.measure()

    def encoder(self):
        self.reference()
        self.descend(self.encode)
        self.measure()

    def chain(self, steps):
        keep = torch.ones(len(self.images), *self.images.shape[-2:], dtype=torch.bool)
        draws = per_image_generators(torch.Generator().manual_seed(0), len(self.images))
        self.descend(lambda x: inpainting_chain(self.model, x, keep, draws, steps=4), steps)
        self.measure()

    def denoising(self, moves=STEPS):
        self.descend(lambda x: self.unet(self.encode(x)), moves)
        self.measure()

    def aimed(self):
        self.reference()
        self.denoising()

    def distillation(self):
        def value(x):
            latents = self.encode(x)
            with torch.no_grad():
                self.unet(latents)
            return latents

        self.descend(value)
        self.measure()

    def learned(self, steps, moves, encoded, trains=lambda name: True, batch=BATCH):
        """Training on images that were encoded `encoded` times, and moves."""
        self.reference(encoded)
        self.learn(steps, trains, batch)
        self.denoising(moves)

    def impress(self):
        distance = lpips_to(self.images, resize=224)
        self.descend(lambda x: self.model.reconstruct(x).sum() + distance(x).sum())

    def redrawn(self, times=1):
        with torch.no_grad():
            for _ in range(times):
                latents = self.encode(self.images)
                for _ in range(3):
                    latents = self.unet(latents)
                self.model.decode(latents)

    def round_trip(self):
        with torch.no_grad():
            self.model.reconstruct(self.images)


LOOPS = {
    "glaze": (
        protections.Glaze(steps=STEPS, transfer_steps=2, strength=0.5, linf=16 / 255),
        Bare.glaze,
    ),
    "photoguard-encoder": (protections.PhotoGuardEncoder(steps=STEPS), Bare.encoder),
    "photoguard-diffusion": (
        protections.PhotoGuardDiffusion(steps=1, repeats=1), lambda bare: bare.chain(1)
    ),
    "advdm": (protections.AdvDM(steps=STEPS), Bare.denoising),
    "mist": (protections.Mist(steps=STEPS), Bare.aimed),
    "sds": (protections.Sds(steps=STEPS), Bare.distillation),
    # Moves and training in the proportions that were published: here ten steps of training to each
    # move, there as many as moves in each round, and three more before the first of fifty.
    "fsmg": (
        protections.Fsmg(steps=2, surrogate_steps=20, batch=BATCH),
        lambda bare: bare.learned(20, 2, 1),
    ),
    # An optimiser's step takes the same time for any batch.
    "fsmg, four at a time": (
        protections.Fsmg(steps=2, surrogate_steps=20, batch=4),
        lambda bare: bare.learned(20, 2, 1, batch=4),
    ),
    "aspl": (
        protections.Aspl(rounds=4, moves=6, surrogate_steps=3, batch=BATCH),
        lambda bare: bare.learned(27, 24, 1 + 4),
    ),
    "caat": (
        protections.Caat(steps=STEPS, batch=BATCH),
        lambda bare: bare.learned(STEPS, STEPS, STEPS, cross_attention_kv),
    ),
    "ace": (
        protections.Ace(rounds=1, moves=6, surrogate_steps=2, batch=BATCH),
        lambda bare: bare.learned(2, 6, 1 + 1, attention),
    ),
    "metacloak": (
        protections.MetaCloak(
            trials=1, stages=2, stage_steps=1, visits=2, moves=6, surrogate_steps=2, batch=BATCH
        ),
        lambda bare: bare.learned(1 + 4 * 2, 4 * 6, 1 + 4),
    ),
    "impress": (attacks.Impress(steps=STEPS, lpips_budget=0.0), Bare.impress),
    "impress-fast": (attacks.FastImpress(steps=STEPS, lpips_budget=0.0), Bare.impress),
    "impress-unrolled": (
        attacks.UnrolledImpress(steps=STEPS, sigma=0.1, lpips_budget=0.0), Bare.impress
    ),
    "diffpure": (attacks.DiffPure(strength=0.3, steps=10), Bare.redrawn),
    "gridpure": (
        attacks.GridPure(iterations=2, strength=0.3, steps=10), lambda bare: bare.redrawn(2)
    ),
    "vae-round-trip": (attacks.VaeRoundTrip(), Bare.round_trip),
}  # fmt: skip


@pytest.fixture(scope="module")
def passes():
    return Passes()


@pytest.fixture(scope="module")
def bare(passes, model, images):
    passes.watch_model(model)
    return Bare(model, images)


@pytest.mark.parametrize("name", LOOPS)
def test_loop(beside, passes, bare, name):
    plugin, needed = LOOPS[name]

    def loop():
        plugin(bare.images, Context(torch.Generator().manual_seed(0), bare.model))

    def alone():
        needed(bare)

    counts = []
    for side in (alone, loop):
        passes.counts.clear()
        side()
        counts.append(dict(passes.counts))
    assert counts[0] == counts[1]
    beside(loop, alone)
