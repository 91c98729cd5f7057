"""Asks a plugin for a part of the images at a time: for memory, and so that no part is lost.

Only plugins whose result for an image depends on that image alone are asked so. Each part gets a
generator that has moved on past the parts before it, so that ours make the same of every image,
however they are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from impress_bench.benchmark.contract import Budget, ImageSet
from impress_bench.benchmark.harness.stages.asking import Answer, Moved, Question
from impress_bench.benchmark.unfinished import Unfinished

#: The name of the state that is kept.
STATE = "answers"
Progress = Callable[[int, int], None]


def slices(count: int, at_once: int | None) -> Iterator[slice]:
    """Consecutive slices of `count` images, `at_once` at a time; None: all of them together."""
    step = at_once or max(count, 1)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def ask_in_parts(
    question: Question,
    ask_one: Callable[[Question, Progress], Answer],
    at_once: int | None,
    unfinished: Unfinished,
    progress: Progress,
) -> Answer:
    """The answer to a question, asked for `at_once` images at a time by `ask_one`.

    A question about a plugin that needs all images of a subject together, and one without a limit,
    is asked whole. Answers are kept in `unfinished` when that is due.
    """
    if not at_once or question.component.granularity == "subject":
        return ask_one(question, progress)
    parts = list(slices(len(question.images.names), at_once))
    answers = [_answer_of(state) for state in unfinished.resume(STATE) or ()]
    for at in range(len(answers), len(parts)):

        def part_progress(done: int, total: int, at: int = at) -> None:
            progress(at * total + done, len(parts) * total)

        answers.append(ask_one(_part(question, parts[at]), part_progress))
        if unfinished.due:
            unfinished.keep(STATE, [_state_of(answer) for answer in answers])
    return _joined(answers)


def _part(question: Question, part: slice) -> Question:
    results = {
        name: Moved(_cut(moved.images, part), {k: v[part] for k, v in moved.distances.items()})
        for name, moved in question.results.items()
    }
    images = _cut(question.images, part)
    return replace(question, images=images, results=results, before=question.before + part.start)


def _cut(images: ImageSet, part: slice) -> ImageSet:
    masks = None if images.masks is None else images.masks[part]
    return ImageSet(images.images[part], images.names[part], images.titles[part], masks)


def _joined(answers: list[Answer]) -> Answer:
    """One answer; its reason is the first that was given."""
    images = [answer.images for answer in answers]
    masks = [one.masks for one in images if one.masks is not None]
    together = ImageSet(
        np.concatenate([one.images for one in images]),
        tuple(name for one in images for name in one.names),
        tuple(title for one in images for title in one.titles),
        np.concatenate(masks) if masks else None,
    )
    notes = {
        name: [value for answer in answers for value in answer.notes.get(name, ())]
        for name in dict.fromkeys(name for answer in answers for name in answer.notes)
    }
    lpips = [answer.lpips for answer in answers if answer.lpips is not None]
    return Answer(
        together,
        answers[0].budget,
        notes,
        next((answer.reason for answer in answers if answer.reason), ""),
        [value for part in lpips for value in part] if len(lpips) == len(answers) else None,
    )


def _state_of(answer: Answer) -> dict[str, Any]:
    """An answer as `Unfinished` keeps it."""
    import torch

    images, masks = answer.images, answer.images.masks
    return {
        "images": torch.from_numpy(images.images.copy()),
        "masks": None if masks is None else torch.from_numpy(masks.copy()),
        "names": list(images.names),
        "titles": list(images.titles),
        "budget": {**asdict(answer.budget), "soft": sorted(answer.budget.soft)},
        "notes": {name: list(values) for name, values in answer.notes.items()},
        "reason": answer.reason,
        "lpips": answer.lpips,
    }


def _answer_of(state: dict[str, Any]) -> Answer:
    masks = None if state["masks"] is None else state["masks"].numpy()
    pixels, names, titles = state["images"].numpy(), tuple(state["names"]), tuple(state["titles"])
    budget = Budget(**{**state["budget"], "soft": frozenset(state["budget"]["soft"])})
    images = ImageSet(pixels, names, titles, masks)
    return Answer(images, budget, state["notes"], state["reason"], state["lpips"])
