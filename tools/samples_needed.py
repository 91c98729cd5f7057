"""How many images a set metric needs to see a known effect, on paintings of the atelier.

    python tools/samples_needed.py [--draws 100]

A set of `n` works of one artist, of which a known share is replaced by works of another, is
compared with `n` other works of the first. The effect is seen where the value lies beyond 95 % of
the values of sets without works of the second. The artists of a pair are of unlike movements.

Printed is, per metric, size and share, how many of the draws see the effect: the least of the
pairs, and their median; then the 5 %, 50 % and 95 % quantiles of what the metric says where there
is no effect, as means over the pairs. docs/choose-a-metric.md has the tables.
"""

from __future__ import annotations

import argparse
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

SIZES = (8, 12, 16, 24, 32, 50, 100, 200)
#: Shares of the other artist.
SHARES = (0.1, 0.25, 0.5)
#: Works per artist that sets are drawn from, without replacement.
POOL = 900
METRICS: Mapping[str, SetMetric] = {
    "kid": Kid(), "cmmd": Cmmd(), "fid": Fid(), "precision": Precision(), "recall": Recall(),
    "centroid-similarity": CentroidSimilarity(),
}  # fmt: skip


def features(name: str, embeddings: Tensor) -> Tensor:
    """What a metric's `embed` makes of raw embeddings (N, D)."""
    if name in ("fid", "precision", "recall"):
        return embeddings
    unit = normalize(embeddings, dim=-1)
    return unit * embeddings.shape[1] ** 0.5 if name == "kid" else unit


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
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    warnings.simplefilter("ignore", SmallSetWarning)
    clip = pack_clip(PACK)

    def embedded(artist: world.Artist) -> Tensor:
        works = world.paintings(artist, "heldout", POOL)
        return clip.embed(to_tensor(np.stack([work.image for work in works])))

    first, second = world.artists("victim")[::2], world.artists("victim")[1::2]
    pairs = [(embedded(a), embedded(b)) for a, b in zip(first, second, strict=True)]
    for a, b in zip(first, second, strict=True):
        print(f"{a.name} ({a.movement}), {b.name} ({b.movement})")
    for name in METRICS:
        report(name, pairs, draws)


def report(name: str, pairs: Sequence[tuple[Tensor, Tensor]], draws: int) -> None:
    """Print the power of a metric by size and share; `pairs` are embeddings of two artists."""
    metric = METRICS[name]
    pairs = [(features(name, own), features(name, other)) for own, other in pairs]
    for size in SIZES:
        generator = np.random.default_rng(0)
        seen, nothing = [], []
        for own, other in pairs:
            drawn = [
                values(metric, own, other, size, share, draws, generator)
                for share in (0.0, *SHARES)
            ]
            nothing.append(np.quantile(drawn[0], [0.05, 0.5, 0.95]))
            seen.append([power(metric, drawn[0], effect) for effect in drawn[1:]])
        least, median = (
            " ".join(f"{value:.2f}" for value in of(seen, axis=0)) for of in (np.min, np.median)
        )
        without = " ".join(f"{value:.4g}" for value in np.mean(nothing, axis=0))
        print(f"{name} n={size} least {least} median {median} without effect {without}", flush=True)


if __name__ == "__main__":
    main()
