"""Installed distributions: which of them brings a module, and the versions that code depends on."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from inspect import getmodulename

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from impress_bench.benchmark.harness.plugins.component import OURS


class Libraries:
    """The distributions on `sys.path` at one moment. Only their metadata is read."""

    def __init__(self) -> None:
        self._distributions: dict[str, Distribution | None] = {}
        self._versions: dict[str, str] = {}
        self._owners: dict[str, tuple[str, ...]] = {}

    def owners(self, top: str) -> tuple[str, ...]:
        """Canonical names of the distributions that bring a top-level module; none for a file that
        merely lies on `sys.path`. Several bring a namespace package."""
        if top not in self._owners:
            named = [name for folder in sys.path for name in _owners_in(folder).get(top, ())]
            self._owners[top] = tuple(dict.fromkeys(named))
        return self._owners[top]

    def editable(self, name: str) -> bool:
        """Whether a distribution's code may change while its version does not (PEP 660)."""
        installed = self._distribution(name)
        text = installed.read_text("direct_url.json") if installed else None
        try:
            origin = json.loads(text or "{}")
        except ValueError:
            return False
        return bool(origin.get("dir_info", {}).get("editable"))

    def version(self, name: str) -> str:
        """The installed version, or "absent"."""
        if name not in self._versions:  # importlib would parse the metadata each time
            installed = self._distribution(name)
            self._versions[name] = installed.version if installed else "absent"
        return self._versions[name]

    def required(self, names: Iterable[str]) -> set[str]:
        """These distributions, and all that they require here, by canonical name.

        What this project itself requires is not followed: torch pins the libraries that it
        computes with, and a new certifi, which it reaches too, alters no result.
        """
        known = {OURS} | {name for name, _ in self._requirements(OURS, None)}
        return self.closure(names, known) - {OURS}

    def closure(self, names: Iterable[str], ends: Collection[str] = ()) -> set[str]:
        """Canonical names of these distributions and of all that they require here, with the extras
        asked for; what those in `ends` require is not followed."""
        pending: list[tuple[str, frozenset[str]]]
        pending = [(canonicalize_name(name), frozenset()) for name in names]
        seen = set(pending)
        while pending:
            name, extras = pending.pop()
            if name not in ends:
                unseen = [one for one in self._requirements(name, extras) if one not in seen]
                pending += unseen
                seen.update(unseen)
        return {name for name, _ in seen}

    def _distribution(self, name: str) -> Distribution | None:
        if name not in self._distributions:
            try:
                self._distributions[name] = distribution(name)
            except PackageNotFoundError:
                self._distributions[name] = None
        return self._distributions[name]

    def _requirements(
        self, name: str, extras: Collection[str] | None
    ) -> list[tuple[str, frozenset[str]]]:
        """What a distribution requires here with these extras (None: with any), and the extras that
        it asks for."""
        installed = self._distribution(name)
        required: list[tuple[str, frozenset[str]]] = []
        for text in (installed.requires or []) if installed else []:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:  # an old distribution's; pip does not follow it either
                continue
            marker = requirement.marker
            if (
                marker is None
                or extras is None
                or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
            ):
                required.append(
                    (canonicalize_name(requirement.name), frozenset(requirement.extras))
                )
        return required


def top_levels(distribution: Distribution) -> frozenset[str]:
    """The top-level modules and packages of a distribution."""
    if listed := (distribution.read_text("top_level.txt") or "").split():
        return frozenset(listed)
    names = set()
    for path in _paths(distribution):
        top, below, _ = path.partition("/")
        names.add(top if below else getmodulename(top) or "")
    return frozenset(name for name in names if name.isidentifier())


def _paths(distribution: Distribution) -> Iterator[str]:
    """The files of a distribution, by its RECORD if it has one: `Distribution.files` makes an
    object of each, and together there are tens of thousands."""
    record = distribution.read_text("RECORD")
    if record is None:
        return map(str, distribution.files or ())
    return (row[0] for row in csv.reader(record.splitlines()) if row)


def _owners_in(folder: str) -> Mapping[str, tuple[str, ...]]:
    """Distributions in one folder of `sys.path`, by the top-level modules that they bring."""
    try:
        return _read_folder(folder, os.stat(folder or ".").st_mtime_ns)
    except OSError:
        return {}


@cache
def _read_folder(folder: str, modified: int) -> Mapping[str, tuple[str, ...]]:
    """As `importlib.metadata.packages_distributions`, which reads every folder each time."""
    owners: dict[str, tuple[str, ...]] = {}
    for installed in distributions(path=[folder]):
        if name := installed.metadata["Name"]:
            for top in top_levels(installed):
                owners[top] = (*owners.get(top, ()), canonicalize_name(name))
    return owners
