"""The members of `auto`, in the order in which they are tried.

As of 2026-11-26. The order is that of passes through networks per image and, where these are equal,
of what a member leaves of a picture:

    none              0
    jpeg              0
    resize            0
    gaussian-noise    0
    impress-fast      at most 31 of encoder, decoder and LPIPS, 30 of them there and back
    noise > impress   100 of encoder, decoder and LPIPS, there and back
    noisy-upscaling   150 of an upscaler's U-Net on an image of four times the side; if one is named

Not among them are purifiers that the rule cannot judge: `vae-round-trip`, `diffpure` and `gridpure`
hand back what the surrogate decodes, which is consistent whatever the latents hold. Nor is
`learned`, which was trained on protections of this package and on one model: its row stands beside.

Settings are those that the purifiers' authors or this package's presets use, IMPRESS's shortened
with the rate raised. `impress-fast` stops an image at .04 of its objective, a little below the
share at which the rule does. List, lengths and that share were chosen on validation artists and
photos; who changes them after a look at scores no longer has an ensemble without parameters. A
purifier that is added here goes where its passes belong.
"""

from __future__ import annotations

from typing import NamedTuple

from impress_bench.attacks.base import Purifier
from impress_bench.attacks.chain import Chain
from impress_bench.attacks.gaussian_noise import GaussianNoise
from impress_bench.attacks.impress import Impress
from impress_bench.attacks.impress_fast import FastImpress
from impress_bench.attacks.jpeg import Jpeg
from impress_bench.attacks.noisy_upscaling import NoisyUpscaling
from impress_bench.attacks.none import NoPurifier
from impress_bench.attacks.resize import Resize


class Member(NamedTuple):
    """A purifier, and the short name that notes call it by."""

    name: str
    purifier: Purifier


def members(upscaler: str = "") -> tuple[Member, ...]:
    """All members in order; `upscaler` is that of `noisy-upscaling`, which is skipped without."""
    impress = Impress(steps=100, lr=0.08, sigma=0.05, lpips_resize=None)
    return (
        Member("none", NoPurifier()),
        Member("jpeg", Jpeg(quality=75)),
        Member("resize", Resize(factor=0.5)),
        Member("gaussian-noise", GaussianNoise(std=0.05)),
        Member("impress-fast", FastImpress(steps=30, stop=0.04, lpips_resize=None)),
        Member("noise-impress", Chain(GaussianNoise(std=0.05), impress)),
        Member("noisy-upscaling", NoisyUpscaling(upscaler=upscaler)),
    )
