"""What the final call of a purifier checks, rounds and withholds."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from contexts import context
from torch import Tensor

from impress_bench.attacks import (
    NoPurifier,
    Purifier,
)
from impress_bench.benchmark.contract import Context, PluginError, Protected


class Wash(Purifier):
    """Answers whatever a test put in and remembers its context."""

    name: ClassVar[str] = "wash"

    def __init__(self, change) -> None:
        self.change = change

    def purify(self, images: Tensor, context: Context) -> Tensor:
        self.context = context
        return self.change(images)


def test_rounds_to_nearest(smooth_images) -> None:
    images = smooth_images(1, 32) * 0.5 + 0.25
    images = (images * 255).round() / 255
    for shift, level in ((0.4, 0), (0.6, 1), (-0.6, -1)):
        purified = Wash(lambda x, s=shift: x + s / 255)(images.double(), context()).images
        assert purified.dtype == torch.float32
        assert torch.equal((purified * 255).round(), (images * 255).round() + level)


def test_sees_neither_titles_nor_masks_nor_results(smooth_images) -> None:
    wash, seen = Wash(lambda x: x), context(titles=("a",), masks=torch.ones(1), results={"x": ()})
    wash(smooth_images(1, 32), seen)
    assert (wash.context.titles, wash.context.masks, wash.context.results) == ((), None, {})
    assert wash.context.generator is seen.generator


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * float("nan"), "wash: output holds 3072 NaN or infinite"),
        (lambda x: x - 1, r"wash: output must lie in \[0, 1\]"),
        (lambda x: x[:, :1], r"wash: output must be \(B, 3, H, W\)"),
        (lambda x: x[:, :, :8], "wash: output must have the shape of its input"),
    ],
)
def test_bad_output_names_the_plugin(smooth_images, change, message) -> None:
    with pytest.raises(PluginError, match=message):
        Wash(change)(smooth_images(1, 32) * 0.9 + 0.05, context())


def test_a_result_in_place_of_its_images_is_told_so(smooth_images) -> None:
    """What a protection or purifier gives, handed on as it is."""
    images, zeros = smooth_images(1, 32), torch.zeros(1)
    purified = NoPurifier()(images, context())
    for given in (Protected(images, zeros, zeros, zeros), purified):
        told = f"must be a torch.Tensor, not {type(given).__name__}; pass its .images"
        with pytest.raises(PluginError, match=told):
            Wash(lambda x: x)(given, context())  # type: ignore[arg-type]
    assert torch.equal(Wash(lambda x: x)(purified.images, context()).images, purified.images)


def test_a_protections_answer_is_not_an_image_yet() -> None:
    zeros = torch.zeros(1)
    protected = Protected(torch.zeros(1, 3, 8, 8), zeros, zeros, zeros)
    with pytest.raises(PluginError, match=r"not Protected; pass its \.images"):
        NoPurifier()(protected, context())


def test_bad_input_names_the_plugin() -> None:
    with pytest.raises(PluginError, match=r"none: input must lie in \[0, 1\], not \[-1"):
        NoPurifier()(torch.full((1, 3, 8, 8), -1.0), context())


def test_the_call_is_final() -> None:
    with pytest.raises(TypeError, match="final"):
        type("Sly", (NoPurifier,), {"__call__": lambda self, images, context: images})
