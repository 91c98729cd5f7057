"""Models that a protection uses beside its surrogate: how it names them, and is handed them.

A module of its own, so that it is no part of what other plugins consist of.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.contract import Context, PluginError, PluginHooks

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class FurtherModelHooks(PluginHooks):
    """What a protection or an adaptation that uses further models defines."""

    #: Parameters that name models as `surrogate=` does, several with spaces between: the models are
    #: loaded for the plugin, and their digests are part of a result's identity.
    further_models: ClassVar[tuple[str, ...]] = ()
    #: On a protection object, the names of its models: callers without a registry load these.
    model_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FurtherContext(Context):
    """A context with further models, by the names that the plugin's parameters give them."""

    further_models: Mapping[str, LatentDiffusion] = field(default_factory=dict)


def model_names(text: str) -> tuple[str, ...]:
    """The models that a parameter names: words, a path with spaces in quotes.

    Raises ValueError for a text without a word, a quote that is not closed, and a name that stands
    there twice.
    """
    names = tuple(shlex.split(text))
    if not names:
        raise ValueError("models must name at least one model")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"models names {name!r} twice")
    return names


def with_models(context: Context, models: Mapping[str, LatentDiffusion]) -> Context:
    """`context` with further models; as it is if there are none."""
    if not models:
        return context
    known = {item.name: getattr(context, item.name) for item in fields(Context)}
    return FurtherContext(**known, further_models=models)


def require_models(
    plugin: str, context: Context, names: Sequence[str]
) -> Iterator[tuple[str, LatentDiffusion]]:
    """The further models of those names. Raises PluginError, in the name of `plugin`, for one that
    the context lacks."""
    there = context.further_models if isinstance(context, FurtherContext) else {}
    for name in names:
        if name not in there:
            way_out = f"pass with_models(context, {{{name!r}: load_model({name!r})}})"
            raise PluginError(plugin, f"needs the model {name!r}; {way_out}")
        yield name, there[name]
