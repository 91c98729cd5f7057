"""How things are called and ordered on boards: the only place here that knows registered names.

The names below are data for display and for the paper's layout. Whatever is not among them gets a
column of its own under its own name; `meta["roles"]` renames the parts that comparisons need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.benchmark.spec import Spec, parse_spec
from impress_bench.leaderboard.schema import CONTROL, is_control

TITLES = {
    "identity": "Clean",
    "random-noise": "Random noise",
    "glaze": "GLAZE",
    "photoguard-encoder": "PhotoGuard (encoder)",
    "photoguard-diffusion": "PhotoGuard (diffusion)",
    "none": "No purifier",
    "jpeg": "JPG",
    "gaussian-noise": "Noise",
    "resize": "Resize",
    "vae-round-trip": "VAE round trip",
    "impress": "IMPRESS",
    "control:own-works": "The artist's own held-out works",
    "control:no-fine-tuning": "No fine-tuning",
    "control:other-movement": "Fine-tuned on another movement",
    "control:other-seed": "Clean photo, another seed",
    "control:grey-head": "Head replaced by grey",
    "style-mimicry": "Style mimicry",
    "malicious-editing": "Malicious editing",
    "vae-error": "VAE reconstruction error",
    "ldm-error": "LDM reconstruction error",
    "vae-lpips": "VAE reconstruction LPIPS",
    "lpips-to-clean": "LPIPS to the clean image",
    "own-style": "Training image still in its own style",
    "own-style-decoded": "Its reconstruction still in its own style",
    "linf": "L∞",
    "l2": "L2",
    "lpips": "LPIPS",
}

ROLES: dict[str, Any] = {
    "clean": "identity",
    "no_purifier": "none",
    "noise": ("random-noise",),
    "purifier": "impress",
    "mimicry": "style-mimicry",
    "editing": "malicious-editing",
    "term": "consistency",
    "orthogonal": "o-pgd",
}

#: Whose scores are rates where a run does not say what chance is.
PERCENT_TASKS = ("style-mimicry",)


@lru_cache(maxsize=16_384)
def parsed(name: str) -> Spec:
    """The parts of a name as boards have it; what is no spec, such as a control's name, is a spec
    of that name alone."""
    try:
        return parse_spec(name)
    except ConfigError:
        return Spec(name)


def base(name: str) -> str:
    """A name without parameters and adaptations: `glaze` of `glaze[p=1]+o-pgd`; of a chain the
    whole chain, so that what follows a purifier is not mistaken for it."""
    return parsed(name).base


@dataclass(frozen=True)
class Layout:
    """What `meta` says about names, with every key optional."""

    meta: Mapping[str, Any] = field(default_factory=dict)

    def role(self, role: str) -> Any:
        """The registered name, or names, that play a role in the comparisons."""
        return self.meta.get("roles", {}).get(role, ROLES[role])

    def kind(self, protection: str) -> str:
        """`control`, `clean`, `noise` or `protection`."""
        if is_control(protection):
            return "control"
        if base(protection) == self.role("clean"):
            return "clean"
        return "noise" if base(protection) in self.role("noise") else "protection"

    def matched(self, noise: str) -> str | None:
        """The protection that noise is as visible as: the one it names, or the run's reference."""
        named = parsed(noise).parameter("match")
        if named is not None:
            return str(parsed(str(named)))
        return self.meta.get("reference_protection") if noise == base(noise) else None

    def title(self, name: str) -> str:
        """What a reader sees: registered names translated, parameters and adaptations as written.

        A chain is read from left to right: `Noise [std=0.05] > IMPRESS`.
        """
        titles = {**TITLES, **self.meta.get("titles", {})}
        if name in titles:
            return str(titles[name])
        if is_control(name):
            return name.removeprefix(CONTROL).replace("-", " ").capitalize()
        return " > ".join(_link_title(link, titles) for link in parsed(name).links)

    def condition(self, protection: str, purifier: str) -> str:
        """A protection and what was done about it: `GLAZE, JPG`."""
        plain = not purifier or base(purifier) == self.role("no_purifier")
        return self.title(protection) + ("" if plain else f", {self.title(purifier)}")

    def metrics(self, task: str, observed: Iterable[str]) -> list[MetricInfo]:
        """Metrics of a task in display order; observed ones that nobody declared come last.

        Results that were stored before metrics had a unit say by `chance` which ones are shares.
        """
        chance = self.meta.get("chance", {})
        declared = {item["name"]: item for item in self.meta.get("metrics", {}).get(task, ())}
        found = []
        for name in ordered(observed, declared):
            share = name in chance if chance else task in PERCENT_TASKS
            default = {"name": name, "title": self.title(name), "unit": SHARE if share else ""}
            found.append(MetricInfo.read(default | declared.get(name, {})))
        return found

    def protections(self, observed: Iterable[str]) -> list[str]:
        """In display order: clean, noise, protections, controls; within each as `meta` says."""
        ranks = {"clean": 0, "noise": 1, "protection": 2, "control": 3}
        names = ordered(observed, self.meta.get("protections", TITLES))
        return sorted(names, key=lambda name: ranks[self.kind(name)])

    def purifiers(self, observed: Iterable[str]) -> list[str]:
        """Purifiers in display order, doing nothing first."""
        names = ordered(observed, self.meta.get("purifiers", TITLES))
        return sorted(names, key=lambda name: base(name) != self.role("no_purifier"))


def _link_title(link: Spec, titles: Mapping[str, Any]) -> str:
    """The title of one component, with a space before its parameters."""
    text = str(link)
    known = titles.get(link.name)
    if known is None:
        return text
    rest = text.removeprefix(link.name)
    return f"{known} {rest}" if rest.startswith("[") else f"{known}{rest}"


def ordered(observed: Iterable[str], order: Iterable[str]) -> list[str]:
    """The observed names: those in `order` first and in that order, the rest sorted."""
    rank = {name: place for place, name in enumerate(order)}
    last = len(rank)
    return sorted(
        set(observed), key=lambda name: (rank.get(name, rank.get(base(name), last)), name)
    )
