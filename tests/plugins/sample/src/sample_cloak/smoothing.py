"""An average over neighbours: no purifier worth the name, but an honest plugin."""

import torch

from impress_bench.attacks.base import Purifier


class Smoothing(Purifier):
    """Averages squares of 2 `radius` + 1 pixels."""

    name = "sample-purifier"

    def __init__(self, *, radius: int = 1):
        self.radius = radius

    def purify(self, images, context):
        size = 2 * self.radius + 1
        return torch.nn.functional.avg_pool2d(images, size, 1, self.radius).clamp(0, 1)
