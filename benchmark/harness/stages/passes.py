"""Counts the images that pass through a model's networks, forward and backward.

The cost of an attack that does not depend on the machine, as seconds do. A pass back counts if it
begins at a network's output; one that begins at activations inside it, as AdvPaint's, does not.
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
    """Passes by network and direction. A call on a batch of eight images is eight passes."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._watched: list[Module] = []

    def watch_model(self, model: Any) -> None:
        """Count the passes of a `LatentDiffusion`'s networks and of LPIPS, and those of copies made
        later for fine-tuning. A model of another kind is not counted."""
        import torch

        from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
        from impress_bench.metrics.lpips import _network

        if not isinstance(model, LatentDiffusion):
            return
        for name, networks in model.networks().items():
            for network in networks:
                self.watch(name, network)
        self.watch("lpips", _network("alex", torch.float32, model.device).net)

    def watch(self, name: str, network: Module) -> None:
        """Count the passes of one network. Watching it twice changes nothing."""
        if not any(network is other for other in self._watched):
            self._watched.append(network)
            network.register_forward_pre_hook(_forward(name, self.counts), with_kwargs=True)
            network.register_forward_hook(_backward(name, self.counts))


def _forward(name: str, counts: Counter[str]) -> Callable[[Module, tuple[Any, ...], Any], None]:
    # Counted in the pre-hook: a checkpoint recomputation stops once every saved tensor is restored,
    # so a forward hook would never fire.
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
            # Returns None, which leaves the gradient as it is.
            answer.register_hook(  # type: ignore[no-untyped-call]
                lambda _: counts.update({f"{name} backward": images})
            )

    return count
