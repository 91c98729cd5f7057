"""What checks read of one task of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Entry, Key
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.layout import Layout, base, parsed
from impress_bench.leaderboard.statistics import Summary, paired_difference

Condition = tuple[str, str]
#: From this quality on JPEG is what uploads go through anyway.
MILD = 90


@dataclass(frozen=True)
class Evidence:
    """What checks read of one task; `metric` is its headline metric.

    `visible` has distances to the clean images, `inspected` measures of images and `noted` what
    plugins noted of them; a protection's distances and notes have the purifier "".
    """

    task: str
    entries: Mapping[Key, Entry]
    metrics: list[MetricInfo]
    metric: MetricInfo
    protections: list[str]
    subjects: int
    visible: Mapping[Key, Entry]
    inspected: Mapping[Key, Entry]
    noted: Mapping[Key, Entry]
    layout: Layout

    def cells(self, condition: Condition, metric: MetricInfo | None = None) -> dict[str, float]:
        """Values by subject of a condition, of the headline metric unless another is given."""
        key = Key(*condition, (metric or self.metric).name)
        return self.entries.get(key, ABSENT).by_subject

    def gap(self, one: Condition, other: Condition, metric: MetricInfo | None = None) -> Summary:
        """How much better the exploit fares under `one` than under `other`, paired by subject."""
        sides = [self.cells(one, metric), self.cells(other, metric)]
        if not (metric or self.metric).higher_is_better:
            sides.reverse()
        return paired_difference(*sides)

    def of_kind(self, kind: str) -> list[str]:
        """Protections of a kind of row: "clean", "noise" or "protection"."""
        return [name for name in self.protections if self.layout.kind(name) == kind]

    def purifiers(self, protection: str) -> list[str]:
        """The purifiers run on a protection, but for none."""
        return list(self._purifiers.get(protection, ()))

    @cached_property
    def _purifiers(self) -> dict[str, dict[str, None]]:
        """By protection, in the order of the entries, which are too many to be gone through for
        every protection."""
        found: dict[str, dict[str, None]] = {}
        for key in self.entries:
            if key.purifier not in ("", self.layout.roles.no_purifier):
                found.setdefault(key.protection, {})[key.purifier] = None
        return found

    def reference_purifiers(self, protection: str) -> list[str]:
        """Those of them that are the reference purifier, with any parameters."""
        ours = self.layout.roles.purifier
        return [name for name in self.purifiers(protection) if base(name) == ours]

    def noise(self, protection: str) -> str | None:
        """The noise that is as visible as a protection."""
        found = (name for name in self.protections if self.layout.matches(name, protection))
        return next(found, None)

    def is_mild_compression(self, purifier: str) -> bool:
        """Whether a purifier is JPEG alone, at a written quality of at least `MILD`."""
        spec = parsed(purifier)
        quality = spec.parameter("quality")
        alone = spec.base == self.layout.roles.compression
        return alone and isinstance(quality, int | float) and quality >= MILD

    def gradient_notes(self, protection: str) -> list[str]:
        """The notes of a protection's adaptations that are 0 where a gradient is: the cosine of the
        two of orthogonal PGD, and the share of a consistency term that has a weight."""
        roles, notes = self.layout.roles, []
        for part in parsed(protection).adaptations:
            if part.name == roles.orthogonal:
                notes.append(f"{part.name}-cosine")
            if part.name == roles.term and 0 not in (
                part.parameter("weight"), part.parameter("share"),
            ):  # fmt: skip
                notes.append(f"{part.name}-share")
        return notes


def judged(case: str, gap: Summary) -> Iterator[str]:
    """`case` if the whole interval lies above 0, "" if it does not; nothing where subjects are too
    few to say, so that the case counts as not checked."""
    side = side_of(gap)
    if side is not None:
        yield case if side == 1 else ""
