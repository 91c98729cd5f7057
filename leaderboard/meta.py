"""What boards need to know of a run besides its four tables, as the run's folder stores it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from impress_bench.benchmark.metric import SHARE, MetricInfo


class Roles(BaseModel):
    """Which registered names play the parts of the paper's comparisons."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The protection that leaves images as they are.
    clean: str = "identity"
    #: The purifier that leaves images as they are.
    no_purifier: str = "none"
    #: Perturbations without an objective.
    noise: tuple[str, ...] = ("random-noise",)
    #: The protection that leaves a share of a subject's images as they are.
    partial: str = "partial"
    #: The purifier that the paper proposes, and that others are compared with.
    purifier: str = "impress"
    #: The purifier whose column the board at a glance calls "Survives …"; "" is the one above. A
    #: run without its cells shows the one above.
    headline: str = ""
    #: The tasks of Tables 1 and 2.
    mimicry: str = "style-mimicry"
    editing: str = "malicious-editing"
    #: The task of the table of editing by img2img.
    img2img: str = "img2img-editing"
    #: The adaptations of Tables 3 to 5, and of Table 6.
    term: str = "consistency"
    orthogonal: str = "o-pgd"
    #: The adaptation to several models, which its parameter `models` names with spaces between.
    ensemble: str = "surrogates"
    #: The purifier that compresses as websites do, at its parameter `quality` of 1 to 100.
    compression: str = "jpeg"


class BoardMeta(BaseModel):
    """Titles, order and remarks for boards; every field has a default.

    Raises pydantic's ValidationError, a ValueError, for unknown keys and wrong types.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The run: its preset, the title of its pages, the name of the model that was exploited.
    preset: str = ""
    title: str = ""
    model: str = ""
    #: Whether that model is a miniature, whose effect sizes do not transfer, or the paper's own,
    #: whose reported scores are printed beside the run's; and what else a reader must know of it.
    model_is_miniature: bool = False
    paper: bool = False
    model_note: str = ""
    #: Whether the settings were frozen before the test subjects were run, and which they are.
    settings_frozen: bool = False
    settings: dict[str, Any] = {}
    #: The preset to run next where this one has too few subjects to show anything.
    next_preset: str = ""
    #: What each task measures, in the order of display; the level of guessing, by metric; and what
    #: was measured of images before they were exploited.
    metrics: dict[str, list[MetricInfo]] = {}
    chance: dict[str, float] = {}
    inspections: list[MetricInfo] = []
    #: By task, subjects of the preset that are not in the results.
    unrun: dict[str, list[str]] = {}
    #: Each task's controls as cells name them.
    controls: dict[str, list[str]] = {}
    #: Specs in the order of display.
    protections: list[str] = []
    purifiers: list[str] = []
    #: The protection that noise without a `match` is as visible as.
    reference_protection: str | None = None
    #: The adapted protections that Table 6 shows in brackets.
    adaptive: list[str] = []
    #: The boards to write, by name, or `matrix` for all matrices; None: all that have data.
    boards: list[str] | None = None
    #: What readers see, by registered name or by the name of a control.
    titles: dict[str, str] = {}
    #: One sentence per plugin, by kind and registered name: `purifier auto`.
    about: dict[str, str] = {}
    roles: Roles = Roles()
    #: Forward and backward passes through networks per image, by spec of a protection or purifier.
    passes: dict[str, float] = {}
    #: The LPIPS that protections were given as a budget, by spec; others have none of LPIPS.
    lpips_budgets: dict[str, float] = {}
    #: What came out differently when submissions were measured again, by registered name; an empty
    #: list where nothing did. None is here that nobody measured again.
    reruns: dict[str, list[str]] = {}
    #: Captions of further pictures, by their names in `figures/`.
    figures: dict[str, str] = {}

    @classmethod
    def of(cls, given: BoardMeta | Mapping[str, Any]) -> BoardMeta:
        """`given` itself, or the fields that a JSON document or a caller gives."""
        return given if isinstance(given, BoardMeta) else cls.model_validate(dict(given))

    def stored(self) -> dict[str, Any]:
        """The fields for a JSON document; `of` is the inverse."""
        return self.model_dump(mode="json")

    @model_validator(mode="before")
    @classmethod
    def _complete_metrics(cls, given: Any) -> Any:
        """Metrics may lack a title and a direction. Results that were stored before metrics had
        units say by `chance` which of them are shares."""
        if not isinstance(given, Mapping):
            return given
        chance = given.get("chance", {})
        metrics = {
            task: [
                item
                if isinstance(item, MetricInfo)
                else MetricInfo.read({"unit": SHARE if item["name"] in chance else "", **item})
                for item in items
            ]
            for task, items in given.get("metrics", {}).items()
        }
        return {**given, "metrics": metrics}
