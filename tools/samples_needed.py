"""How many images a set metric needs to see a known effect, on paintings of the atelier.

    python tools/samples_needed.py [--draws 200]

Two artists of unlike movements each: a set of `n` works of the first, of which a known share is
replaced by works of the second, is compared with `n` other works of the first. The effect is seen
where the value lies beyond 95 % of the values of sets without works of the second. Printed are, per
metric and share, the least size at which four draws in five see it, for every pair of artists, and
what a metric says where there is no effect. docs/set-metrics.md has the tables.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.embedding_metrics.cmmd import Cmmd
from impress_bench.benchmark.embedding_metrics.fid import Fid, SmallSetWarning
from impress_bench.benchmark.embedding_metrics.kid import Kid
from impress_bench.benchmark.embedding_metrics.precision_recall import Precision, Recall
from impress_bench.benchmark.embedding_metrics.similarity import CentroidSimilarity
from impress_bench.benchmark.models.open_clip_model import pack_clip
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics.base import SetMetric

SIZES, SHARES = (8, 12, 16, 24, 32, 50, 100, 200), (0.1, 0.25, 0.5)
#: Works per artist that sets are drawn from, without replacement.
POOL = 900
METRICS: Mapping[str, SetMetric] = {
    "kid": Kid(), "cmmd": Cmmd(), "fid": Fid(), "precision": Precision(), "recall": Recall(),
    "centroid-similarity": CentroidSimilarity(),
}  # fmt: skip
#: What takes unit embeddings.
UNIT = ("cmmd", "centroid-similarity")


def values(
    metric: SetMetric,
    own: Tensor,
    other: Tensor,
    size: int,
    share: float,
    draws: int,
    generator: np.random.Generator,
) -> list[float]:
    """A metric of `draws` random pairs of sets.

    Parameters:
        own, other: Features (N, D) and (M, D) of two artists' works; N at least twice `size`.
        size: Works in each set.
        share: How much of the painted set is of the other artist; rounded to whole works.
        generator: Chooses the works, none twice in one draw.
    """
    foreign = round(share * size)
    found = []
    for _ in range(draws):
        chosen = generator.permutation(len(own))[: 2 * size]
        strangers = generator.permutation(len(other))[:foreign]
        painted = torch.cat([own[chosen[: size - foreign]], other[strangers]])
        found.append(metric.compare(painted, own[chosen[size:]]))
    return found


def power(metric: SetMetric, without: Sequence[float], with_effect: Sequence[float]) -> float:
    """The share of draws with an effect that lie beyond 95 % of those without."""
    worse = -1.0 if metric.higher_is_better else 1.0
    limit = np.quantile(worse * np.asarray(without), 0.95)
    return float((worse * np.asarray(with_effect) > limit).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    warnings.simplefilter("ignore", SmallSetWarning)
    clip = pack_clip(PACK)
    seen = {
        artist: clip.embed(to_tensor(np.stack([work.image for work in works])))
        for artist in world.artists("victim")
        for works in [world.paintings(artist, "heldout", POOL)]
    }
    pairs = list(zip(list(seen)[::2], list(seen)[1::2], strict=True))
    for first, second in pairs:
        print(f"{first.name} ({first.movement}), {second.name} ({second.movement})")
    for name, metric in METRICS.items():
        features = {a: normalize(x, dim=-1) if name in UNIT else x for a, x in seen.items()}
        report(name, metric, [(features[a], features[b]) for a, b in pairs], draws)


def report(
    name: str, metric: SetMetric, pairs: Sequence[tuple[Tensor, Tensor]], draws: int
) -> None:
    """Print the power of a metric by size and share, the least over the pairs of artists."""
    for size in SIZES:
        generator = np.random.default_rng(0)
        lines, sizes = [], []
        for own, other in pairs:
            without = values(metric, own, other, size, 0.0, draws, generator)
            sizes.append(np.quantile(without, [0.05, 0.5, 0.95]))
            lines.append(
                [
                    power(metric, without, values(metric, own, other, size, s, draws, generator))
                    for s in SHARES
                ]
            )
        least = " ".join(f"{value:.2f}" for value in np.min(lines, axis=0))
        median = " ".join(f"{value:.2f}" for value in np.median(lines, axis=0))
        nothing = " ".join(f"{value:.4g}" for value in np.mean(sizes, axis=0))
        print(f"{name} n={size} least {least} median {median} without effect {nothing}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
