"""Further diffusers pipelines of a model's own networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def rebuilt(
    pipeline: StableDiffusionPipeline, kind: type[Any] | None = None, **changed: Any
) -> Any:
    """A pipeline of the same components, not copied, but for the `changed` ones; of another `kind`
    if one is given. It has no safety checker and shows no progress bar. Takes about a millisecond.
    """
    components = {**pipeline.components, **changed}
    made = (kind or type(pipeline))(**components, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made
