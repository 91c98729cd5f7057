"""How the numbers of a board's records must read in its tables, by rules of their own: whoever has
the JSON of a board rounds what stands there, and finds that text in every other form of the board.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
#: Columns and rows that hold no record of their own board.
WITHOUT = ("n", "Passes", "Choices", "Chosen, by subjects", "The paper", "Made on", "Visible",
           "Strongest purifier")  # fmt: skip
UNRECORDED = ("Chance (by construction", "Share of the term in the loss")
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]\d+)?(?: ± \S+| \[[^\]]*\])?")
P = re.compile(r"< \.001|\.\d{3}|1\.000")


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a board's JSON."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def text_of(record: Record, percent: bool) -> str | None:
    """What stands in the table for a record, without what may follow it; None without a mean."""
    mean, table, metric = record["mean"], record["table"], record["metric"]
    if mean is None:
        return None
    if table.startswith("visibility"):
        spread = [] if table.endswith("largest") else [record["std"]]
        scale, places = (255, 1) if metric == "linf" else (1, 3)
        values = [scale * value for value in (mean, *spread) if value is not None]
        return " ± ".join(fixed(value, places) for value in values)
    interval = [mean, record["low"], record["high"]]
    if table.endswith("-auc"):
        return _interval([fixed(value, 2) for value in interval if value is not None])
    if table.endswith("-share"):
        return _interval(to_one_precision(interval, True))
    if table in ("glance", "transfer", "transfer-worst") or table.endswith(
        ("-differences", "-survival")
    ):
        return _interval(to_one_precision(interval, percent, "+"))
    plain = table in ("diagnostics", "inconsistency")
    return " ± ".join(to_one_precision([mean, record["std"]], percent and not plain))


def p_of(record: Record) -> str | None:
    """The text of a record's p; None without one."""
    p = record["p"]
    if p is None:
        return None
    return "< .001" if p < 0.001 else fixed(p, 3).removeprefix("0")


def to_one_precision(values: Iterable[float | None], percent: bool, plus: str = "") -> list[str]:
    """Per cent to one decimal, else three significant digits of the largest for all."""
    known = [value for value in values if value is not None]
    if percent:
        return [fixed(100 * value, 1, plus) for value in known]
    largest = max(map(abs, known))
    places = max(0, 2 - math.floor(math.log10(largest))) if largest else 2
    if places > 7:
        return [f"{value:{plus}.2e}" for value in known]
    return [fixed(value, places, plus) for value in known]


def fixed(value: float, places: int, plus: str = "") -> str:
    """The exact value of a float, half-way cases to even, without a negative zero."""
    text = str(Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))
    if not text.strip("-0."):
        return plus + text.removeprefix("-")
    return text if value < 0 else plus + text


def _interval(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) < 3 else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def grids(markdown: str) -> list[list[list[str]]]:
    """The tables of a page of Markdown: per table its rows, the header first."""
    found: list[list[list[str]]] = []
    inside = False
    for line in markdown.splitlines():
        if line.startswith("|") and not inside:
            found.append([])
        inside = line.startswith("|")
        if inside and not re.fullmatch(r"[|:-]+", line):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found[-1].append([cell.strip().replace("&lt;", "<") for cell in cells])
    return found


def latex_grids(text: str) -> list[list[list[str]]]:
    """The same of a file of LaTeX."""
    found = []
    for body in re.findall(r"\\begin\{tabular\}.*?\n(.*?)\\end\{tabular\}", text, re.S):
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        found.append([[_plain(cell) for cell in line[:-2].split(" & ")] for line in lines])
    return found


def _plain(cell: str) -> str:
    for escaped, sign in (
        (r"\ensuremath{<}", "<"), (r"\ensuremath{>}", ">"), (r"\_", "_"), (r"\%", "%"),
        (r"\&", "&"), (r"\#", "#"),
    ):  # fmt: skip
        cell = cell.replace(escaped, sign)
    return cell.strip()


def printed(tables: Iterable[Sequence[Sequence[str]]]) -> tuple[Counter[str], Counter[str]]:
    """How often each number stands in a board's tables, and each p."""
    numbers: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for heads, *rows in tables:
        titles = [head.split(" [")[0] for head in heads]
        for row in rows:
            if row[0].startswith(UNRECORDED) or ", the paper" in row[0]:
                continue
            for title, cell in zip(titles[1:], row[1:], strict=True):
                if title == "p":
                    tests.update(P.findall(cell))
                elif title not in WITHOUT and (start := NUMBER.match(_bare(cell))):
                    numbers[start[0]] += 1
    return numbers, tests


def _bare(cell: str) -> str:
    """Without what may stand before a record's text, such as the paper's figure and a slash."""
    return re.sub(r"^[\d.]+ / ", "", cell.removeprefix("white box: "))


def differences(
    records: Sequence[Record], tables: Iterable[Sequence[Sequence[str]]], shares: Collection[str]
) -> list[str]:
    """What a board's tables do not say of its records, and what they say beyond them; `shares` are
    the metrics in per cent. A text stands at least as often as records have it."""
    numbers, tests = printed(tables)
    wanted = Counter(
        text for one in records if (text := text_of(one, one["metric"] in shares)) is not None
    )
    told = [f"not printed: {text}" for text in wanted - numbers]
    told += [f"not recorded: {text}" for text in numbers if text not in wanted]
    p = Counter(text for one in records if (text := p_of(one)) is not None)
    told += [f"p not printed: {text}" for text in p - tests]
    return told + [f"p not recorded: {text}" for text in tests if text not in p]
