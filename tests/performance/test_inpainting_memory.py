"""Memory of the gradient through the inpainting chain, 16 steps against 4, with checkpointing.

What autograd keeps between the way forth and the way back is counted by its own hooks, so that
nothing else in the process is measured.
"""

from __future__ import annotations

import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.seeds import per_image_generators


@pytest.fixture(scope="module")
def inpainter():
    return load_model("atelier")


def kept_bytes(model, steps, checkpointing):
    """Bytes of the distinct tensors that the graph holds on to."""
    images = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    keep = torch.ones(1, 64, 64, dtype=torch.bool)
    held = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {p.untyped_storage().data_ptr() for p in model.inpainting_unet.parameters()}
    weights |= {p.untyped_storage().data_ptr() for p in model.pipeline.vae.parameters()}
    generators = per_image_generators(torch.Generator().manual_seed(0), 1)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        made = inpainting_chain(
            model, images, keep, generators, steps=steps, checkpointing=checkpointing
        )
        made.square().sum().backward()
    return sum(size for place, size in held.items() if place not in weights)


def test_memory_hardly_grows_with_steps(benchmark, inpainter):
    few = kept_bytes(inpainter, 4, True)
    many = benchmark.pedantic(kept_bytes, (inpainter, 16, True), rounds=1)
    benchmark.extra_info["growth_4_to_16_steps"] = many / few
    plain = [kept_bytes(inpainter, steps, False) for steps in (4, 16)]
    benchmark.extra_info["growth_without_checkpointing"] = plain[1] / plain[0]
    assert many < 1.2 * few
    assert plain[1] > 2 * plain[0]
