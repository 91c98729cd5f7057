"""An objective and a model so simple that what solvers make of them is known."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor

from impress_bench.benchmark.contract import Budget
from impress_bench.protections import GradientProtection
from impress_bench.protections.solvers.pgd import Pgd


class Linear(SimpleNamespace):
    """A model whose reconstruction pulls each value to `centre` by `pull`, so that the
    disagreement is a known quadratic."""

    def reconstruct(self, x: Tensor, chain: str = "vae", *, generator=None) -> Tensor:
        return x - self.pull * (x - self.centre)


class Aim(GradientProtection):
    """Squared distance to a target: the protective objective of these tests."""

    name = "aim"

    def __init__(self, target: Tensor, linf: float = 0.1) -> None:
        self.target = target
        self.budget = Budget(linf=linf)
        self.solver = Pgd(40, 0.01, linf=linf)

    def prepare(self, images, context, generators):
        return self.target

    def loss(self, state, x, step, generators):
        return (x - state).square().flatten(1).sum(1)
