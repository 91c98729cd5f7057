"""What all layers share: budgets, contexts, states, hooks and errors that name their plugin.

Imports nothing of this package and no torch at run time, so that listing plugins stays fast.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeVar, cast

if TYPE_CHECKING:
    import numpy as np
    import torch

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

NORMS = ("linf", "l2", "lpips")


class State(StrEnum):
    """How a cell ended; boards show it where there is no number."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    OVER_BUDGET = "over-budget"
    TIMEOUT = "timeout"
    MISSING = "missing"


class PluginError(Exception):
    """A plugin broke its contract. The message names the plugin and the remedy."""

    #: What a plugin returned all the same, as one over its budget does.
    measured: Protected | None = None

    def __init__(self, plugin: str, message: str, state: State = State.FAILED) -> None:
        super().__init__(f"{plugin}: {message}")
        self.plugin = plugin
        self.state = state


def check_pixel_scale(name: str, value: float | None, span: int = 1) -> None:
    """Raise ValueError for a strength that exceeds the pixel range, as one in 8-bit levels does.

    `span` is 1 for pixels in [0, 1] and 2 for pixels in [-1, 1].
    """
    if value is not None and value > span:
        pixels = "[0, 1]" if span == 1 else "[-1, 1]"
        raise ValueError(
            f"{name} is on {pixels} pixels and must be at most {span}, not {value:g};"
            f" did you mean {value:g}/{255 / span:g}?"
        )


def check_range(
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    **values: float | None,
) -> None:
    """Raise ValueError for those of `values` that lie outside of the bounds; None passes."""
    for name, value in values.items():
        if value is None:
            continue
        if least is not None and not value >= least:
            raise ValueError(f"{name} must be at least {least:g}, not {value!r}")
        if most is not None and not value <= most:
            raise ValueError(f"{name} must be at most {most:g}, not {value!r}")
        if above is not None and not value > above:
            raise ValueError(f"{name} must be above {above:g}, not {value!r}")


class VisibleBudget(UserWarning):
    """Warns that a budget permits a plainly visible perturbation."""


#: The largest change of a value that protections are published with, on [0, 1] pixels.
USUAL_LINF = 16 / 255


@dataclass(frozen=True)
class Budget:
    """How far a protection may move an image, in the range [0, 1].

    Args:
        linf: largest change of a value; 0 to 1, None for no bound. Above 16/255 a change is plainly
            visible, and a `VisibleBudget` warning is given.
        l2: Euclidean norm of an image's change over all its values; at least 0, None for no bound.
        lpips: AlexNet LPIPS distance; at least 0, None for no bound.
        soft: names of norms that are measured and shown, and may be exceeded (GLAZE's hinge on
            LPIPS, say).

    Raises:
        ValueError: for a number out of range or an unknown norm.
    """

    linf: float | None = None
    l2: float | None = None
    lpips: float | None = None
    soft: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in NORMS:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"budget {name} must be at least 0, not {value!r}")
        check_pixel_scale("budget linf", self.linf)
        if self.linf is not None and self.linf > USUAL_LINF + 1e-9 and "linf" not in self.soft:
            warnings.warn(
                f"a budget of linf={255 * self.linf:.3g}/255 is plainly visible; protections are"
                " published with 4/255 to 16/255",
                VisibleBudget,
                stacklevel=3,
            )
        unknown = set(self.soft) - set(NORMS)
        if unknown:
            raise ValueError(f"soft names unknown norms {sorted(unknown)}; known: {list(NORMS)}")

    def excess(self, measured: Mapping[str, float], tolerance: float = 1e-5) -> dict[str, float]:
        """Hard norms that `measured` exceeds, with the measured value; empty if within budget."""
        limits = {name: getattr(self, name) for name in NORMS if name not in self.soft}
        return {
            name: measured[name]
            for name, limit in limits.items()
            if limit is not None and measured[name] > limit + tolerance
        }


@dataclass(frozen=True)
class ImageSet:
    """What stages exchange: 8-bit images of one size, with their metadata.

    `images` is uint8 (N, H, W, 3); `names` are unique file stems; `titles` has N entries or none;
    `masks` is None or bool (N, H, W), true on what an editor keeps (a head).
    """

    images: np.ndarray
    names: tuple[str, ...]
    titles: tuple[str, ...] = ()
    masks: np.ndarray | None = None


class Protected(NamedTuple):
    """Images as published, and how far each lies from its original.

    `images` is float32 (B, 3, H, W) with 8-bit values in [0, 1]; `linf`, `l2` and `lpips` are (B,).
    """

    images: torch.Tensor
    linf: torch.Tensor
    l2: torch.Tensor
    lpips: torch.Tensor


class Purified(NamedTuple):
    """A purifier's output: float32 (B, 3, H, W) with 8-bit values in [0, 1]."""

    images: torch.Tensor


def _silent(done: int, total: int) -> None:
    """Default of `Context.progress`: does nothing."""


def _unread(name: str, values: Sequence[float]) -> None:
    """Default of `Context.note`: does nothing."""


@dataclass(frozen=True)
class Context:
    """What a plugin may use besides the images.

    A protection gets `titles`, `masks` and the results that its `requires` names; a purifier gets
    neither titles nor masks. Only the task has edit prompts, held-out titles and labels.

    `model` is the surrogate, None where the caller has none. `generator` is the only source of
    randomness. `progress(done, total)` reports steps. `note(name, values)` records diagnostics, one
    finite number per image: how often an attack succeeded, say. `results` maps the registered name
    of another protection to its output for the same images.
    """

    generator: torch.Generator
    model: LatentDiffusion | None = None
    titles: Sequence[str] = ()
    masks: torch.Tensor | None = None
    results: Mapping[str, Protected] = field(default_factory=dict)
    progress: Callable[[int, int], None] = _silent
    note: Callable[[str, Sequence[float]], None] = _unread

    def require_model(self, plugin: str) -> LatentDiffusion:
        """The surrogate. Raises PluginError, in the name of `plugin`, if there is none."""
        if self.model is None:
            raise PluginError(plugin, "needs a model; pass Context(model=load_model('atelier'))")
        return self.model


class PluginHooks:
    """What any plugin may define besides its call, with the defaults.

    The base classes inherit them. A plugin that builds on none of the base classes may define them
    too: the benchmark reads them through `hooks`.
    """

    #: What boards call it; "" stands for its registered name made readable.
    title: ClassVar[str] = ""
    #: Parameters that may name a file or a folder: its contents are part of a result's identity.
    files: ClassVar[tuple[str, ...]] = ()
    #: Parameters that name a plugin and are given that plugin instead: {"expects": "purifiers"}.
    injects: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: Whether an image's result depends on that image alone, or on all images of a subject.
    granularity: ClassVar[Literal["image", "subject"]] = "image"


class ProtectionHooks(PluginHooks):
    """What a protection may define."""

    #: How far it may move an image; by default without bounds.
    budget: Budget = Budget()
    #: Whether it is a control, which is not meant to protect (random noise, say).
    control: ClassVar[bool] = False

    def requires(self) -> tuple[str, ...]:
        """Registered names of the protections whose results `context.results` must hold."""
        return ()

    def skip(self, subject: str, model: LatentDiffusion | None) -> str | None:
        """Why this protection cannot apply to a subject with this surrogate; None where it can."""
        return None

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """Called before the plugin is, with the subject's name and the names of its images."""


class PurifierHooks(PluginHooks):
    """What a purifier may define. `skip` gets no subject: an artist's name stands for a style, and
    a purifier is to work from images alone."""

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """Why this purifier cannot work here with this surrogate; None where it can."""
        return None

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """As for a protection, but called for purifiers of this package alone, of which `dir:`
        looks up files by these names; a third party's never gets a name."""


H = TypeVar("H", bound=PluginHooks)


def hooks(plugin: object, kind: type[H]) -> H:
    """`plugin`, an object or a class, with the defaults of `kind` for the hooks it leaves out."""
    if isinstance(plugin, kind) or (isinstance(plugin, type) and issubclass(plugin, kind)):
        return cast(H, plugin)
    return cast(H, _WithDefaults(plugin, kind()))


class _WithDefaults:
    """A plugin without one of the base classes, completed by defaults."""

    def __init__(self, plugin: object, defaults: PluginHooks) -> None:
        self._plugin = plugin
        self._defaults = defaults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plugin, name, getattr(self._defaults, name))
