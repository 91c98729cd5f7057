"""Low-rank adapters on a denoiser's attention (LoRA, Hu et al. 2022), by `peft`. Imports no torch.

As in diffusers' `train_text_to_image_lora`: a projection W of attention becomes W + (alpha / r) B A
with alpha = r, so that B A is all that is added; A is drawn from a Gaussian of deviation 1 / r, and
B is zero at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def missing() -> str:
    """What is to be done before adapters can be learned; empty if `peft` is there."""
    return "" if find_spec("peft") else "needs peft: pip install 'impress-bench[lora]'"


def add_adapters(
    denoiser: Any, targets: Sequence[str], rank: int, generator: torch.Generator
) -> list[torch.nn.Parameter]:
    """Adapters of `rank` on the layers `targets` of a diffusers network, in place: the parameters
    that are now all that can learn.

    They depend on one number drawn from `generator` alone, and what else draws from torch's own
    generators does not notice. Raises ModuleNotFoundError, with the way out, without `peft`.
    """
    import torch

    if told := missing():
        raise ModuleNotFoundError(f"low-rank fine-tuning {told}")
    from peft import LoraConfig

    config = LoraConfig(
        r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(targets)
    )
    seed = int(torch.randint(2**63 - 1, (1,), generator=generator))
    # peft draws on the CPU, whatever the device. torch.manual_seed would seed the GPUs' too.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        denoiser.add_adapter(config)
    return [parameter for parameter in denoiser.parameters() if parameter.requires_grad]


def merge_adapters(denoiser: Any) -> None:
    """Add B A to the weights and take the adapters away, in place: a plain network is left."""
    denoiser.fuse_lora()
    denoiser.unload_lora()
