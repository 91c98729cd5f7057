"""Every iterative protection and purifier: no pass through a network that its algorithm does not
ask for. What is expected is worked out from the settings: a pass a step and image, references once.
"""

from __future__ import annotations

import pytest
import torch

from impress_bench import attacks, protections
from impress_bench.attacks.base import Purifier
from impress_bench.benchmark import Context
from impress_bench.benchmark.harness.stages.environment import Environment

N = 3  # images
B = 2  # of a batch that a surrogate learns, where it learns from each state of the images once


def passes(encoder=(0, 0), decoder=(0, 0), unet=(0, 0), lpips=(0, 0)):
    """Expected counts from (forward, backward) passes."""
    pairs = {"encoder": encoder, "decoder": decoder, "unet": unet, "lpips": lpips}
    counts = {}
    for name, (forward, backward) in pairs.items():
        counts |= {f"{name} forward": forward, f"{name} backward": backward}
    return {name: n for name, n in counts.items() if n}


def both(count):
    return count, count


#: What every protection's call measures: LPIPS of the published image, on both sides.
MEASURED = (2 * N, 0)


def learning(moves, learned, encoded):
    """Against a surrogate: `moves` steps of all images, `learned` images seen in training, and
    `encoded` ones without gradient: what it learns, and a target, once in each state of theirs."""
    encoder = (N * moves + encoded, N * moves)
    return passes(encoder, unet=both(N * moves + learned), lpips=MEASURED)


S, R, K = 4, 2, 3  # steps, repeats or rounds, steps within one
Q = 2  # of a surrogate at a time

CASES = {
    "glaze": (
        protections.Glaze(steps=S, p=0.5, transfer_steps=4, strength=0.5, linf=16 / 255),
        # The image to redraw, the redrawn one; two steps of redrawing with guidance. Nothing goes
        # back through a hinge that does not yet hold.
        passes(
            (N * (S + 2), N * S),
            (N, 0),
            (2 * 2 * N, 0),
            (N * (S + 1) + 2 * N, 0),
        ),
    ),
    "photoguard-encoder": (
        protections.PhotoGuardEncoder(steps=S),
        passes((N * (S + 1), N * S), lpips=MEASURED),
    ),
    "photoguard-encoder, blurguard": (
        # Deviations are learned without a network.
        protections.BlurGuard(steps=S + Q, sigma_steps=Q)(protections.PhotoGuardEncoder(), "a"),
        passes((N * (S + 1), N * S), lpips=MEASURED),
    ),
    "photoguard-diffusion": (
        protections.PhotoGuardDiffusion(
            steps=S, repeats=R, diffusion_steps=K, checkpointing=False
        ),
        passes(both(N * S * R), both(N * S * R), both(N * S * R * K), MEASURED),
    ),
    "photoguard-diffusion, checkpointing": (
        protections.PhotoGuardDiffusion(steps=S, repeats=R, diffusion_steps=K),
        # The U-Net runs once more on the way back.
        passes(both(N * S * R), both(N * S * R), (2 * N * S * R * K, N * S * R * K), MEASURED),
    ),
    "advdm": (
        protections.AdvDM(steps=S),
        passes(both(N * S), unet=both(N * S), lpips=MEASURED),
    ),
    "mist": (
        protections.Mist(steps=S),
        passes((N * (S + 1), N * S), unet=both(N * S), lpips=MEASURED),
    ),
    "mist, textural": (
        protections.Mist(steps=S, mode="textural"),
        passes((N * (S + 1), N * S), lpips=MEASURED),
    ),
    "sds": (
        protections.Sds(steps=S),
        passes(both(N * S), unet=(N * S, 0), lpips=MEASURED),
    ),
    "sds, target": (
        protections.Sds(steps=S, target="pattern"),
        passes((N * (S + 1), N * S), unet=(N * S, 0), lpips=MEASURED),
    ),
    "fsmg": (
        protections.Fsmg(steps=S, surrogate_steps=Q, batch=N),
        learning(S, Q * N, N),
    ),
    "aspl": (
        # A copy before every round and one after the last, as published, beside the surrogate.
        protections.Aspl(rounds=R, moves=K, surrogate_steps=Q, batch=N),
        learning(R * K, (R + R + 1) * Q * N, (1 + R) * N),
    ),
    "caat": (protections.Caat(steps=S, batch=B), learning(S, S * B, S * B)),
    "ace": (
        protections.Ace(rounds=R, moves=K, surrogate_steps=Q, batch=N),
        learning(R * K, R * Q * N, (1 + R) * N),
    ),
    "metacloak": (
        protections.MetaCloak(
            trials=R, stages=2, stage_steps=3, visits=2, moves=K, surrogate_steps=Q, batch=N
        ),
        learning(R * 2 * 2 * K, 3 * N + R * 2 * 2 * Q * N, N + R * 2 * 2 * N),
    ),
    "diffusion-guard": (
        protections.DiffusionGuard(steps=S),
        passes(both(N * S), unet=both(N * S), lpips=MEASURED),
    ),
    "simac": (
        # The last search moves nothing: five gradients.
        protections.SimAC(searches=1, rounds=R, moves=K, surrogate_steps=Q, batch=N),
        learning(R * K + 5, (R + R + 1) * Q * N, (1 + R) * N),
    ),
    "simac, paper": (
        # Features of the images at the start of a round, whose posteriors are known by then.
        protections.SimAC(
            source="paper", searches=1, rounds=R, moves=K, surrogate_steps=Q, batch=N
        ),
        passes(
            (N * (R * K + 5) + (1 + R) * N, N * (R * K + 5)),
            unet=(N * (2 * R * K + 5) + 5 * Q * N, N * (R * K + 5) + 5 * Q * N),
            lpips=MEASURED,
        ),
    ),
    "pap": (
        # Steps of the prompt, its error at the end, and the images' own.
        protections.Pap(steps=S, prompt_steps=K),
        passes(both(N * S), unet=(N * S * (K + 2), N * S * (K + 1)), lpips=MEASURED),
    ),
    "pid": (
        protections.Pid(steps=S),
        passes((N * (S + 1), N * S), lpips=MEASURED),
    ),
    "nightshade": (
        # One picture, with guidance, for all images.
        protections.Nightshade(prompt="engraving", steps=S, sampling_steps=K),
        passes((N * S + 1, N * S), (1, 0), (2 * K, 0), MEASURED),
    ),
    "style-guard": (
        # Beside ASPL's, one image of the style; the rest is known.
        protections.StyleGuard(rounds=R, moves=K, surrogate_steps=Q, batch=N),
        learning(R * K, (R + R + 1) * Q * N, (1 + R) * N + 1),
    ),
    "style-protect": (
        protections.StyleProtect(layers="up_blocks.0", steps=S, batch=B),
        learning(S, S * B, S * B),
    ),
    "disdiff": (
        # ASPL's: maps of attention come from the pass that has the error.
        protections.DisDiff(rounds=R, moves=K, surrogate_steps=Q, batch=N),
        learning(R * K, (R + R + 1) * Q * N, (1 + R) * N),
    ),
    "adv-paint": (
        # Photo and masked photo are encoded, both with guidance; once more of the clean one. What
        # goes back starts inside the U-Net, at its attentions, and is no whole pass.
        protections.AdvPaint(steps=S),
        passes((2 * N * (S + 1), N * S), unet=(2 * N * (S + 1), 0), lpips=MEASURED),
    ),
    "impress": (
        attacks.Impress(steps=S, lpips_budget=0.0),
        passes(both(N * S), both(N * S), lpips=(N * (S + 1), N * S)),
    ),
    "impress, within its budget": (
        attacks.Impress(steps=S, lpips_budget=2.0),
        passes(both(N * S), both(N * S), lpips=(N * (S + 1), 0)),
    ),
    "impress-fast": (
        attacks.FastImpress(steps=S, lpips_budget=0.0),
        passes(both(N * S), both(N * S), lpips=(N * (S + 1), N * S)),
    ),
    "impress-unrolled": (
        attacks.UnrolledImpress(steps=S, sigma=0.1, lpips_budget=0.0),
        passes(both(N * S), both(N * S), lpips=(N * (S + 1), N * S)),
    ),
    "diffpure": (
        attacks.DiffPure(strength=0.3, steps=10),
        passes((N, 0), (N, 0), (3 * N, 0)),
    ),
    "gridpure": (
        attacks.GridPure(iterations=R, strength=0.3, steps=10),
        passes((R * N, 0), (R * N, 0), (R * 3 * N, 0)),
    ),
    "vae-round-trip": (attacks.VaeRoundTrip(), passes((N, 0), (N, 0))),
}  # fmt: skip

#: Iterative or not, these run none of a model's networks, or another's; `auto` runs others'.
NOT_OURS = {
    "identity", "random-noise", "partial", "exec", "dir", "none", "jpeg", "gaussian-noise",
    "resize", "bit-depth", "crop", "rotation", "total-variation", "adverse-cleaner",
    "noisy-upscaling", "auto", "immuniser", "learned", "pdm-pure",
}  # fmt: skip


@pytest.fixture(scope="module")
def environment():
    return Environment({"target": "atelier"})


@pytest.mark.parametrize("name", CASES)
def test_passes_are_the_fewest(environment, smooth_images, name):
    plugin, expected = CASES[name]
    model = environment.model("target")
    titles = () if isinstance(plugin, Purifier) else ("a hill",) * N
    context = Context(torch.Generator().manual_seed(0), model, titles=titles)
    with environment.stage(1, "test"):
        plugin(smooth_images(N, 64), context)
    assert environment.passes == expected


def test_no_plugin_was_forgotten(registry_names):
    assert {name.partition(",")[0] for name in CASES} | NOT_OURS == registry_names


@pytest.fixture
def registry_names():
    from impress_bench.benchmark.harness.plugins.registry import Registry

    entries = Registry().entries
    ours = [
        name
        for group in ("protections", "purifiers")
        for name, found in entries[group].items()
        if any(entry.dist is not None and entry.dist.name == "impress-bench" for entry in found)
    ]
    return set(ours)
