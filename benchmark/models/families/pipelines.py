"""Further diffusers pipelines of a model's own networks."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

#: Settings of pipelines that would blacken images, or mark them.
UNCHANGED = {"requires_safety_checker": False, "add_watermarker": False}


def rebuilt(pipeline: DiffusionPipeline, kind: type[Any] | None = None, **changed: Any) -> Any:
    """A pipeline of the same components, not copied, but for the `changed` ones; of another `kind`
    if one is given. Of the settings it has those that its kind takes, no safety checker and no
    watermark; it shows no progress bar. Takes about a millisecond.
    """
    kind = kind or type(pipeline)
    known = {**pipeline.config, **pipeline.components, **UNCHANGED, **changed}
    made = kind(**{name: known[name] for name in signature(kind).parameters if name in known})
    made.set_progress_bar_config(disable=True)
    return made
