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
    """The first of `members` whose images satisfy the stopping rule; one choice per subject.

    If none does, the most consistent of those that stay near the published images; `none` always
    stays near. Members get the generator as it is handed in, so that the images are those of the
    member's own row. A member that is skipped here (an upscaler that is not there) is left out.

    The cost is at most that of all members, with one VAE round trip and one LPIPS per member and
    image for the rule. The first call for a surrogate in a process also measures the clean
    paintings.

    The rule has a blind spot: a protection that is consistent with the surrogate as published, as
    `+consistency` makes it, passes for unprotected, and `none` is taken. `auto-clean` shows it.

    Notes, one value per image:
        auto-NAME: 1 for the member that was taken, 0 for the others.
        auto-met: whether the rule was satisfied.
        auto-clean: whether the published image by itself is as consistent as clean ones.

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
        start = context.generator.get_state()
        tried: list[Tried] = []
        for member in usable:
            generator = torch.Generator(context.generator.device)
            generator.set_state(start)

            def progress(done: int, total: int) -> None:
                context.progress(len(tried), len(usable))

            given = Context(generator=generator, model=model, progress=progress)
            made = member.purifier(images, given).images.to(images)
            tried.append(Tried(member.name, made, rule.findings(made, images)))
            context.progress(len(tried), len(usable))
            if rule.satisfied(tried[-1].findings):
                break
        # As far as a member draws from it, so that another call has other noise.
        per_image_generators(context.generator, len(images))
        taken = _taken(tried, rule)
        self._note(context, tried, taken, [member.name for member in usable], rule)
        return taken.images

    def _note(
        self,
        context: Context,
        tried: Sequence[Tried],
        taken: Tried,
        names: Sequence[str],
        rule: StoppingRule,
    ) -> None:
        count = len(taken.images)
        for name in names:
            context.note(f"auto-{name}", [float(name == taken.name)] * count)
        context.note("auto-met", [float(rule.satisfied(taken.findings))] * count)
        published = tried[0].findings.errors
        context.note("auto-clean", [float(rule.consistent([error])) for error in published])


def _taken(tried: Sequence[Tried], rule: StoppingRule) -> Tried:
    """The last if it satisfies the rule, else the most consistent of those that are near."""
    if rule.satisfied(tried[-1].findings):
        return tried[-1]
    near = [one for one in tried if rule.near(one.findings.distances)]
    return min(near, key=lambda one: median(one.findings.errors))
