"""`auto`: purifiers in order of cost until the protection looks gone, as AutoAttack runs attacks.

AutoAttack (Croce and Hein 2020) has no parameters: its members and their settings are fixed, a
later one sees only what the earlier ones did not break, and nobody tunes it for one defence. What
is broken it reads off the label. A purifier has none, so that a stopping rule decides that knows
the images alone (`stopping_rule`).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.attacks.members import members
from impress_bench.attacks.noisy_upscaling import NoisyUpscaling
from impress_bench.attacks.stopping_rule import Findings, StoppingRule
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.seeds import per_image_generators

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Tried(NamedTuple):
    """A member's images, (B, 3, H, W), and what the rule finds in them."""

    name: str
    images: Tensor
    findings: Findings


class Auto(Purifier):
    """Tries purifiers, cheapest first, until images match what the model reconstructs of them.

    Its `members` are tried in order of cost; `stopping_rule` is exact about what matches, which
    includes that an image has hardly changed. One choice per subject. If none satisfies the rule,
    the most consistent of those that stay near the published images is kept; `none`, the first of
    them, always stays near. Each member gets the generator as it was handed in, so that its images
    are those of its own row. A member that does not apply (an upscaler that was not named) is left
    out.

    The cost is at most that of all members, and for the rule one VAE round trip and one LPIPS per
    member and image. The first call for a surrogate in a process also takes 25 paintings through it
    twice.

    Blind spot of the rule: a protection that is consistent as published leaves little to gain. Only
    the worst case over purifiers, which is chosen by the score, shows what it withstands.

    Notes for each image: "auto-NAME" (1 for the member that was taken, 0 for the others),
    "auto-met" (1 if the rule was satisfied) and "auto-left" (the share of the published image's
    inconsistency that is left).

    Args:
        upscaler: what `noisy-upscaling` is given, with which it becomes a member; no setting, but
            weights that this package does not bring.
    """

    name: ClassVar[str] = "auto"
    granularity: ClassVar[Literal["image", "subject"]] = "subject"
    files: ClassVar[tuple[str, ...]] = ("upscaler",)

    def __init__(self, *, upscaler: str = "") -> None:
        self.upscaler = upscaler
        self.members = members(upscaler)

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """What is missing, if an upscaler was named and is not on this machine."""
        return NoisyUpscaling(upscaler=self.upscaler).skip(model) if self.upscaler else None

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """The images of the member that is taken."""
        model = context.require_model(self.name)
        rule = StoppingRule.of(model)
        usable = [member for member in self.members if not member.purifier.skip(model)]
        before = rule.inconsistency(images)
        start = context.generator.get_state()
        tried: list[Tried] = []
        for member in usable:
            generator = torch.Generator(context.generator.device)
            generator.set_state(start)

            def progress(done: int, total: int) -> None:
                context.progress(len(tried), len(usable))

            given = Context(generator=generator, model=model, progress=progress)
            made = member.purifier(images, given).images.to(images)
            tried.append(Tried(member.name, made, rule.findings(made, images, before)))
            context.progress(len(tried), len(usable))
            if rule.satisfied(tried[-1].findings):
                break
        # As far as a member draws from it, so that another call has other noise.
        per_image_generators(context.generator, len(images))
        taken = _taken(tried, rule)
        for member in usable:
            context.note(f"auto-{member.name}", [float(member.name == taken.name)] * len(images))
        context.note("auto-met", [float(rule.satisfied(taken.findings))] * len(images))
        context.note("auto-left", taken.findings.left)
        return taken.images


def _taken(tried: Sequence[Tried], rule: StoppingRule) -> Tried:
    """The last if it satisfies the rule, else the most consistent of those that are near."""
    if rule.satisfied(tried[-1].findings):
        return tried[-1]
    near = [one for one in tried if rule.near(one.findings)]
    return min(near, key=lambda one: median(one.findings.left))
