"""What each method saw of the model and how it fared, as short texts: from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Key
from impress_bench.leaderboard.findings.paired import gain
from impress_bench.leaderboard.findings.taken import headline_purifier, taken
from impress_bench.leaderboard.findings.variants import Task
from impress_bench.leaderboard.layout import Layout, headline, listed, parsed, target_of
from impress_bench.leaderboard.render import interval_text, partial_text
from impress_bench.leaderboard.statistics import Summary

#: How costs name a model's networks, and how readers do.
NETWORKS = {"encoder": "encoder", "unet": "denoiser", "decoder": "decoder", "lpips": "LPIPS"}


def seen(spec: str, passes: Mapping[str, int] | None, layout: Layout) -> str:
    """What a method was seen to use besides the images that it is handed: networks whose passes
    were counted, the models that they are of if these are not the run's, and what noise is as
    visible as. "" if its passes were not counted."""
    if passes is None:
        return ""
    back = [title for name, title in NETWORKS.items() if passes.get(f"{name} backward")]
    # Passes forward through LPIPS measure how far a result lies from the original.
    out = [title for name, title in NETWORKS.items()
           if name != "lpips" and title not in back and passes.get(f"{name} forward")]  # fmt: skip
    told = [f"{what} of {listed(names)}" for what, names in (("gradients", back), ("outputs", out))
            if names]  # fmt: skip
    models = layout.made_on(spec)
    if told and models != (layout.meta.model,):
        told[-1] += f" (models: {', '.join(filter(None, models))})"
    if layout.kind(spec) == "noise":
        matched, within = layout.matched(spec), parsed(spec).parameter("within")
        told += [] if matched is None else [f"the result of {layout.title(matched)}"]
        told += ["masks"] * (within == "mask")
    return "; ".join(told) or "images alone, no network of the model"


def shown_tasks(tasks: Sequence[Task]) -> list[tuple[Task, MetricInfo]]:
    """The tasks that methods are described by, each with its primary metric: those on the run's
    model, or all of a run that has none of these."""
    found = [(task, metric) for task in tasks if (metric := headline(task.metrics)) is not None]
    return [one for one in found if target_of(one[0].name) is None] or found


def protection_fared(task: Task, metric: MetricInfo, name: str, layout: Layout) -> str:
    """What a protection takes beyond its noise and what is left of that after the headline
    purifier; where there is no such noise, the exploit's scores. "" if it was not run."""
    last = headline_purifier([key.purifier for key in task.entries], layout)
    told = []
    for purifier in dict.fromkeys([layout.roles.no_purifier, last]):
        entry = task.entries.get(Key(name, purifier, metric.name), ABSENT)
        if not purifier or entry.summary.mean is None:
            continue
        after = "" if purifier == layout.roles.no_purifier else f" after {layout.title(purifier)}"
        found = taken(task.entries, name, purifier, metric, task.protections, layout)
        if found is None or found[1][0].mean is None:
            score = interval_text(entry.summary_of(metric), metric.percent, signed=False)
            told.append(f"{score}{partial_text(entry.summary.n, task.subjects)} scored{after}")
            continue
        verb = "left" if after else "taken"
        told.append(f"{_interval(found[1][0], metric, task)} {verb}{after}")
    return ", ".join(told)


def purifier_fared(task: Task, metric: MetricInfo, name: str, layout: Layout) -> str:
    """What a purifier gives back to the exploit on the reference protection, or on the first one of
    a task without it. "" if it was not run on that."""
    none = layout.roles.no_purifier
    known = [one for one in task.protections if layout.kind(one) == "protection"]
    if layout.meta.reference_protection in known:
        known = [layout.meta.reference_protection]
    if name == none or not known:
        return ""
    given = gain(task.entries, (known[0], name), (known[0], none), metric)
    if given.mean is None:
        return ""
    return f"{_interval(given, metric, task)} given back on {layout.title(known[0])}"


def _interval(difference: Summary, metric: MetricInfo, task: Task) -> str:
    """A difference with its interval, and its subjects where they are not all."""
    shown = interval_text(difference, metric.percent)
    return shown + partial_text(difference.n, task.subjects)
