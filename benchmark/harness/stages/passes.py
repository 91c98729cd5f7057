"""How many images pass through a model's networks, forward and backward: what an attack costs.

Seconds depend on the machine, passes do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

NETWORKS = ("encoder", "decoder", "unet", "lpips")


class Passes:
    """Counts images, not calls: one call on a batch of eight is eight passes."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._watched: list[Module] = []

    def watch_model(self, model: Any) -> None:
        """Count the passes of a `LatentDiffusion`'s networks, and of LPIPS; copies made of them
        later, for fine-tuning, count too. A model without a pipeline has none to count."""
        import torch

        from impress_bench.metrics.lpips import _network

        pipeline = getattr(model, "pipeline", None)
        if pipeline is None:
            return
        self.watch("encoder", pipeline.vae.encoder)
        self.watch("decoder", pipeline.vae.decoder)
        self.watch("unet", pipeline.unet)
        if model.inpainting_unet is not None:
            self.watch("unet", model.inpainting_unet)
        self.watch("lpips", _network("alex", torch.float32, model.device).net)

    def watch(self, name: str, network: Module) -> None:
        """Count the passes of one network, each network once."""
        if not any(network is other for other in self._watched):
            self._watched.append(network)
            network.register_forward_pre_hook(_forward(name, self.counts), with_kwargs=True)
            network.register_forward_hook(_backward(name, self.counts))


def _forward(name: str, counts: Counter[str]) -> Callable[[Module, tuple[Any, ...], Any], None]:
    # Counted as it begins: what checkpointing runs again ends as soon as all is there that the way
    # back needs, and never returns.
    def count(network: Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        images: Tensor = next(iter((*inputs, *named.values())))
        counts[f"{name} forward"] += len(images)

    return count


def _backward(name: str, counts: Counter[str]) -> Callable[[Module, tuple[Any, ...], Any], None]:
    def count(network: Module, inputs: tuple[Any, ...], output: Any) -> None:
        answer: Tensor = getattr(output, "sample", output)
        answer = answer[0] if isinstance(answer, tuple) else answer
        images = len(answer)
        if answer.requires_grad:
            # Not into the gradient: only that it came by.
            answer.register_hook(  # type: ignore[no-untyped-call]
                lambda _: counts.update({f"{name} backward": images})
            )

    return count
