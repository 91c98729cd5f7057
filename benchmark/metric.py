"""How a metric is declared: once, where it is implemented. Tasks, harness and boards read it.

Imports nothing of ours and no torch, so that boards can be written without either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: The unit of shares: values in [0, 1] that boards print in per cent.
SHARE = "%"
Over = Literal["image", "set"]


@dataclass(frozen=True)
class Scale:
    """Between which controls of a task another metric is scaled.

    Parameters:
        of: The metric of the same task whose values are scaled.
        zero: The control whose score becomes 0.
        one: The control whose score becomes 1 in the mean over subjects.
        higher_is_better: Whether higher values of `of` mean a more successful exploit.
        squared: Whether `of` is a squared distance, so that its root is scaled. Of an unbiased
            estimate below 0 that is the negative root of its size.
    """

    of: str
    zero: str
    one: str
    higher_is_better: bool
    squared: bool = False


@dataclass(frozen=True)
class MetricInfo:
    """The declaration of a metric.

    Parameters:
        name: Registered or written name, unique within a task, such as `clip-top3`.
        title: What boards call it.
        higher_is_better: Whether higher values mean a more successful exploit; None if unknown.
        unit: Printed beside the values: "dB", "" for a bare number, or `SHARE` for values in
            [0, 1] that are printed in per cent.
        over: What one value is computed from: "image" (each image has a value, and a cell's is
            their mean) or "set" (all images of a cell together have one value).
        images: How many images one value of a cell covers, if that is fixed. Values over sets of
            unlike sizes are not comparable unless their estimator is unbiased.
        scale: For a metric that boards compute from another one: from which, and between which
            controls.
        primary: Whether it is the one of its task from which conclusions are drawn, declared before
            test subjects are run.
    """

    name: str
    title: str
    higher_is_better: bool | None
    unit: str = ""
    over: Over = "image"
    images: int | None = None
    scale: Scale | None = None
    primary: bool = False

    def __post_init__(self) -> None:
        if self.over not in ("image", "set"):
            raise ValueError(f"metric {self.name}: over is 'image' or 'set', not {self.over!r}")

    @property
    def percent(self) -> bool:
        """Whether boards print the values in per cent."""
        return self.unit == SHARE

    @classmethod
    def of(cls, plugin: Any, name: str) -> MetricInfo:
        """The declaration of a registered metric, from its class attributes.

        Raises AttributeError if `plugin` lacks `title` or `higher_is_better`, and ValueError for an
        unknown `over`.
        """
        return cls(
            name,
            str(plugin.title),
            None if plugin.higher_is_better is None else bool(plugin.higher_is_better),
            str(getattr(plugin, "unit", "")),
            getattr(plugin, "over", "image"),
        )

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> MetricInfo:
        """A declaration as `stored` holds it; keys that it lacks have their defaults."""
        known = {key: stored[key] for key in cls.__dataclass_fields__ if key in stored}
        if isinstance(scale := known.get("scale"), Mapping):
            known["scale"] = Scale(**scale)
        return cls(**{"title": stored["name"], "higher_is_better": None, **known})

    def stored(self) -> dict[str, Any]:
        """The declaration for a JSON document; `read` is its inverse."""
        return asdict(self)
