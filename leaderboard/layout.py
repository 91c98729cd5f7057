"""How names are shown and ordered on boards.

Registered names are data: their titles, their order and the parts that they play in comparisons
come from the run (`BoardMeta`). A name without a title is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.metric import MetricInfo
from impress_bench.benchmark.spec import Spec, parse_spec
from impress_bench.leaderboard.meta import BoardMeta, Roles
from impress_bench.leaderboard.schema import CONTROL, control, is_control

Kind = Literal["clean", "noise", "protection", "control"]
#: The order in which kinds of rows are shown.
RANKS: dict[Kind, int] = {"clean": 0, "noise": 1, "protection": 2, "control": 3}


@lru_cache(maxsize=16_384)
def parsed(name: str) -> Spec:
    """The parts of a name as tables hold it. A name that is no spec, such as a control's, becomes
    a spec of that name alone."""
    try:
        return parse_spec(name)
    except ConfigError:
        return Spec(name)


def base(name: str) -> str:
    """A name without parameters and adaptations: `glaze` of `glaze[p=1]+o-pgd`. A chain keeps all
    of its links, so that it is not taken for its first purifier."""
    return parsed(name).base


def target_of(task: str) -> str | None:
    """The model that a task names as its target; None for that of the run."""
    target = parsed(task).parameter("target")
    return None if target is None else str(target)


def file_part(name: str) -> str:
    """A name as it can stand in that of a file: a task that names its target has brackets in its
    own, and may have a path."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


@dataclass(frozen=True)
class Layout:
    """What a run's `meta` says about the names in its tables."""

    meta: BoardMeta = field(default_factory=BoardMeta)

    @property
    def roles(self) -> Roles:
        """The registered names that play the parts of the comparisons."""
        return self.meta.roles

    def role(self, part: str) -> str:
        """The registered name that plays a part which tables name: a field of `Roles`."""
        return str(getattr(self.roles, part))

    def kind(self, protection: str) -> Kind:
        """Whether a row is the clean images, noise, a protection or a control."""
        if is_control(protection):
            return "control"
        if base(protection) == self.roles.clean:
            return "clean"
        return "noise" if base(protection) in self.roles.noise else "protection"

    def matched(self, noise: str) -> str | None:
        """The spec of the protection that noise is as visible as: the one that its `match` names,
        else, for noise without parameters, the run's reference protection; None if unknown."""
        named = parsed(noise).parameter("match")
        if named is not None:
            return str(parsed(str(named)))
        return self.meta.reference_protection if noise == base(noise) else None

    def made_on(self, protection: str) -> tuple[str, ...]:
        """The models that a protection was computed on: its own surrogate, else the run's model,
        and those that an adaptation to several adds."""
        spec = parsed(protection)
        surrogate = spec.parameter("surrogate")
        further = [
            model
            for part in spec.adaptations
            if part.name == self.roles.ensemble
            for model in str(part.parameter("models")).split()
        ]
        return (self.meta.model if surrogate is None else str(surrogate), *further)

    def matches(self, name: str, protection: str) -> bool:
        """Whether a row is noise that is as visible as a protection, or as what that adapts."""
        if self.kind(name) != "noise":
            return False
        return self.matched(name) in (protection, base(protection))

    def noise_for(self, protections: Sequence[str]) -> list[str]:
        """The rows of noise that a run of these protections wants beside them: as visible as each,
        or as the plain one where that is among them and the others adapt it or set it otherwise.
        In the masks, since an editor keeps nothing else; where a task has none, in all of an
        image."""
        named = [name for name in protections if self.kind(name) == "protection"]
        matched = dict.fromkeys(base(name) if base(name) in named else name for name in named)
        return [
            str(Spec(self.roles.noise[0], (("match", name), ("within", "mask"))))
            for name in matched
        ]

    def counted(self, task: str, n: int) -> str:
        """`24 subjects`, or `6 of 8 subjects` where the preset has others that were not run."""
        unrun = self.meta.unrun.get(task, ())
        return f"{n} of {subjects_text(n + len(unrun))}" if unrun else subjects_text(n)

    def what_was_run(self, subjects: Mapping[str, int]) -> str:
        """`preset `mini`; model `atelier`; Style mimicry: 2 subjects`, of the number of `subjects`
        of each task; what is not known is left out."""
        named = {"preset": self.meta.preset, "model": self.meta.model}
        told = [f"{kind} `{name}`" for kind, name in named.items() if name]
        told += [f"{self.title(task)}: {self.counted(task, n)}" for task, n in subjects.items()]
        return "; ".join(told)

    def title(self, name: str) -> str:
        """What a reader sees of a spec, a task, a control or a measure.

        Registered names become titles, and parameters stay as they are written:
        `GLAZE [p=0.1] + O-PGD`. A chain is read from left to right: `Noise [std=0.05] > IMPRESS`.
        Of noise the title says what it is as visible as: `Random noise as visible as Mist`.
        """
        if name in self.meta.titles:
            return self.meta.titles[name]
        if matched := self._matched_title(name):
            return matched
        if is_control(name):
            return name.removeprefix(CONTROL).replace("-", " ").capitalize()
        return " > ".join(_link_title(link, self.meta.titles) for link in parsed(name).links)

    def _matched_title(self, name: str) -> str:
        """The title of noise whose parameters say only what it is matched to and where it falls; ""
        of other specs."""
        given = dict(parsed(name).parameters)
        named, within = given.pop("match", None), given.pop("within", "image")
        alone = parsed(name).family == base(name) in self.roles.noise
        if named is None or given or not alone:
            return ""
        where = f", in the {within}" * (within != "image")
        return f"{self.title(base(name))} as visible as {self.title(str(named))}{where}"

    def about(self, kind: str, name: str) -> list[str]:
        """A sentence for each plugin in the spec of a protection or a purifier, behind its title;
        none for plugins that are not known here."""
        told: dict[str, str | None] = {}
        for link in parsed(name).links:
            told[link.name] = self.meta.about.get(f"{kind} {link.name}")
            for part in link.adaptations:
                told[part.name] = self.meta.about.get(f"adaptation {part.name}")
        return [f"{self.title(part)}: {text}" for part, text in told.items() if text]

    def meaning(self, task: str, metric: MetricInfo) -> str:
        """Between which controls a metric of a task is scaled; "" for one that is measured."""
        if (scale := metric.scale) is None:
            return ""
        of = next((one.title for one in self.declared(task) if one.name == scale.of), scale.of)
        ends = [self.title(control(name)) for name in (scale.zero, scale.one)]
        root = "the root of " * scale.squared
        return (
            f"{metric.title}: {root}{of}, scaled so that the control “{ends[0]}” has 0 and "
            f"“{ends[1]}” 1; below 0 the exploit fares worse than with “{ends[0]}”."
        )

    def measure_title(self, measure: str) -> str:
        """What a reader sees of an inspected measure, or of a distance."""
        declared = {item.name: item.title for item in self.meta.inspections}
        return declared.get(measure) or self.title(measure)

    def condition(self, protection: str, purifier: str) -> str:
        """A protection and what was done about it: `GLAZE, JPG`."""
        plain = not purifier or base(purifier) == self.roles.no_purifier
        return self.title(protection) + ("" if plain else f", {self.title(purifier)}")

    def metrics(self, task: str, observed: Iterable[str]) -> list[MetricInfo]:
        """The observed metrics of a task in display order: declared ones first."""
        declared = {item.name: item for item in self.declared(task)}
        return [
            declared.get(name) or MetricInfo(name, self.title(name), None)
            for name in ordered(observed, declared)
        ]

    def declared(self, task: str) -> list[MetricInfo]:
        """The metrics that the run declares for a task, measured or not."""
        return self.meta.metrics.get(task, [])

    def protections(self, observed: Iterable[str]) -> list[str]:
        """In display order: clean, noise, protections, controls; within each as `meta` says."""
        names = ordered(observed, self.meta.protections)
        return sorted(names, key=lambda name: RANKS[self.kind(name)])

    def purifiers(self, observed: Iterable[str]) -> list[str]:
        """Purifiers in display order, the absence of one first."""
        names = ordered(observed, self.meta.purifiers)
        return sorted(names, key=lambda name: base(name) != self.roles.no_purifier)


def headline(metrics: list[MetricInfo]) -> MetricInfo | None:
    """The primary metric, else the first whose direction is known."""
    known = [metric for metric in metrics if metric.higher_is_better is not None]
    return next((metric for metric in known if metric.primary), known[0] if known else None)


def subjects_text(count: int) -> str:
    """`1 subject`, `6 subjects`."""
    return f"{count} subject{'s' * (count != 1)}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ordered(observed: Iterable[str], order: Iterable[str]) -> list[str]:
    """The observed names: those in `order` first and in that order, the rest sorted."""
    rank = {name: place for place, name in enumerate(order)}
    last = len(rank)
    return sorted(
        set(observed), key=lambda name: (rank.get(name, rank.get(base(name), last)), name)
    )


def _link_title(link: Spec, titles: Mapping[str, str]) -> str:
    """The title of one component and its adaptations, each with its parameters."""
    parts = [Spec(link.name, link.parameters), *link.adaptations]
    return " + ".join(_part_title(part, titles) for part in parts)


def _part_title(part: Spec, titles: Mapping[str, str]) -> str:
    title = titles.get(part.name)
    if title is None:
        return str(part)
    return " ".join(filter(None, [title, str(part).removeprefix(part.name)]))
