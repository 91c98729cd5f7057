"""The consistency term: its weight, its share and its chains."""

from __future__ import annotations

import pytest
import torch
from contexts import adapted_to, context
from objectives import Aim

from impress_bench.benchmark import Context, load_model
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import PhotoGuardDiffusion
from impress_bench.protections.adaptations.consistency import Consistency

SIZE = 8


def test_consistency_adds_the_weighted_term(problem):
    images, target, host, context = problem
    base = Aim(target)
    protection = Consistency(weight=3.0)(base, "aim")
    state = protection.prepare(images, context, [])
    x = (images + 0.01).requires_grad_(True)
    term = (2 * host.pull * (x - host.centre)).square().flatten(1).mean(1)
    own = base.loss(target, x, 0, [])
    assert torch.allclose(protection.loss(state, x, 0, []), own + 3 * term, atol=1e-12)
    summed = Consistency(weight=3.0, source="paper")(base, "aim")
    assert torch.allclose(summed.loss(state, x, 0, []), own + 3 * term * 3 * SIZE**2, atol=1e-9)


def test_the_released_photoguard_attack_is_the_sum_of_two_norms(smooth_images):
    """|f(x)| + 10 |x - f(x)| over the inpainting chain on [-1, 1] pixels, against the sum written
    out; there the term is nine tenths of the loss, and a mean of squares would be next to none."""
    model, images = load_model("atelier"), smooth_images(2, 64)
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[:, 16:48, 16:48] = True
    streams = lambda: per_image_generators(torch.Generator().manual_seed(5), 2)  # noqa: E731
    noted: dict[str, list[float]] = {}
    given = context(
        model=model, masks=masks, note=lambda name, values: noted.update({name: values})
    )
    base = PhotoGuardDiffusion(source="released")
    term = {"weight": 10.0, "chain": "inpainting"}
    attack = Consistency(**term, source="norm")(base, "photoguard-diffusion")
    loss = attack.loss(attack.prepare(images, given, streams()), images, 0, streams())

    drawn, kept = streams(), masks[:, None].float()
    masked = 2 * (images * kept + 0.5 * (1 - kept)) - 1
    first, second = (
        2 * inpainting_chain(model, images, masks, drawn, steps=4) - 1 for _ in range(2)
    )
    norms = [(first**2).sum((1, 2, 3)) ** 0.5, 10 * ((masked - second) ** 2).sum((1, 2, 3)) ** 0.5]
    assert loss.tolist() == pytest.approx((norms[0] + norms[1]).tolist(), rel=1e-4)
    assert min(noted["consistency-share"]) > 0.8
    unweighed = Consistency(**term)(PhotoGuardDiffusion(), "photoguard-diffusion")
    unweighed.loss(unweighed.prepare(images, given, streams()), images, 0, streams())
    assert max(noted["consistency-share"]) < 0.01


def test_a_share_weighs_by_gradient_norms(problem):
    images, target, host, context = problem
    protection = Consistency(share=0.8)(Aim(target), "aim")
    state = protection.prepare(images, context, [])
    x = (images + 0.01).requires_grad_(True)
    (slope,) = torch.autograd.grad(protection.loss(state, x, 0, []).sum(), x)
    f = 2 * (x - target).detach()
    g = 8 * host.pull.square() * (x - host.centre).detach() / (3 * SIZE**2)
    added = slope - f
    for i in range(2):
        assert added[i].norm() == pytest.approx(4 * float(f[i].norm()))
        assert torch.cosine_similarity(added[i].flatten(), g[i].flatten(), dim=0) > 1 - 1e-9


def test_the_share_of_the_total_is_noted(problem):
    images, target, _, context = problem
    _, _, noted = adapted_to(Aim(target), Consistency(weight=50.0), images, context)
    assert len(noted["consistency-share"]) == 2
    assert all(0 < share < 1 for share in noted["consistency-share"])


def test_the_chain_can_be_the_inpainting_model(smooth_images):
    """PhotoGuard's diffusion attack with the term of Table 5, which the released code has built in:
    its gradient reaches the kept part and nothing else."""
    model, images = load_model("atelier"), smooth_images(1, 64)
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[:, 16:48, 16:48] = True
    base = PhotoGuardDiffusion(radius=1.0, step=0.2, steps=2, repeats=1, diffusion_steps=2)
    protection = Consistency(weight=10.0, chain="inpainting")(base, "photoguard-diffusion")
    context = Context(torch.Generator().manual_seed(0), model, masks=masks)
    moved = protection(images, context).images - images
    assert float(moved[..., 16:48, 16:48].abs().max()) > 0
    assert float((moved * ~masks[:, None]).abs().max()) == 0
