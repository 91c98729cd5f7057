"""A fixed pattern of squares: no protection worth the name, but an honest plugin."""

import torch

from impress_bench.benchmark.contract import Budget
from impress_bench.protections.base import Protection


class Checkers(Protection):
    """Adds and takes away `linf` in squares of `side` pixels."""

    name = "sample-cloak"

    def __init__(self, *, linf: float = 8 / 255, side: int = 4):
        self.linf = linf
        self.side = side
        self.budget = Budget(linf=linf)

    def perturb(self, images, context):
        rows, columns = (torch.arange(size) // self.side for size in images.shape[-2:])
        signs = 1 - 2 * ((rows[:, None] + columns) % 2)
        return (images + self.linf * signs).clamp(0, 1)
