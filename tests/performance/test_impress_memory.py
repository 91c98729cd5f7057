"""Peak memory of IMPRESS: in proportion to the batch, and the same after however many steps.

All tensors that torch makes are followed from the operation that makes them until their memory is
freed, so that nothing else in the process is measured.
"""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impress_bench.attacks import Impress, UnrolledImpress
from impress_bench.benchmark import Context
from impress_bench.benchmark.seeds import per_image_generators


class Tracked(TorchDispatchMode):
    """The bytes of all tensors made under it, now and at most."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._alive = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor.untyped_storage())
        return made

    def _follow(self, storage):
        place = storage._cdata
        if place in self._alive:
            return
        size = storage.nbytes()
        self._alive[place] = weakref.ref(storage, lambda _: self._forget(place, size))
        self.now += size
        self.peak = max(self.peak, self.now)

    def _forget(self, place, size):
        del self._alive[place]
        self.now -= size


def peak(model, images, steps):
    """Bytes at most, while `steps` steps are taken on `images`."""
    Impress(steps=1)(images[:1], Context(torch.Generator().manual_seed(0), model))  # loads LPIPS
    with Tracked() as tracked:
        Impress(steps=steps)(images, Context(torch.Generator().manual_seed(0), model))
    return tracked.peak


def peak_of_stored_steps(model, images, steps):
    """The same where gradients pass through all steps."""
    with Tracked() as tracked:
        protected = (2 * images - 1).requires_grad_(True)
        generators = per_image_generators(torch.Generator().manual_seed(0), len(images))
        UnrolledImpress(steps=steps).optimise(protected, model, generators, lambda *_: None)
    return tracked.peak


def test_tracking_counts_what_is_alive():
    with Tracked() as tracked:
        kept = torch.zeros(1000)
        for _ in range(3):
            torch.zeros(500)
        view = kept[:10]
    assert (tracked.peak, tracked.now) == (6000, 4000)
    del kept, view
    assert tracked.now == 0


def test_memory_is_linear_in_the_batch_and_flat_in_steps(benchmark, model, images):
    by_batch = {batch: peak(model, images[:batch], 2) for batch in (1, 2, 4, 8)}
    long = benchmark.pedantic(peak, (model, images[:2], 12), rounds=1)
    one = by_batch[2] - by_batch[1]
    benchmark.extra_info["MB_an_image"] = round(one / 1e6, 1)
    benchmark.extra_info["growth_2_to_12_steps"] = round(long / by_batch[2], 4)
    for batch, bytes_ in by_batch.items():
        assert bytes_ == pytest.approx(batch * one, rel=0.05)
    assert long < 1.01 * by_batch[2]


def test_a_graph_that_is_kept_would_show(model, images):
    few, many = (peak_of_stored_steps(model, images[:1], steps) for steps in (1, 3))
    assert many > 2 * few
