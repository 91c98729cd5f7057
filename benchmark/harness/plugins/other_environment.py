"""Plugins installed in another virtual environment: only its metadata are read here."""

from __future__ import annotations

import hashlib
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.source_digest import Code

#: Kinds of plugins that can run in a process of their own.
GROUPS = ("protections", "purifiers", "adaptations")


class OtherEnvironment:
    """The virtual environment of the interpreter `python`. Raises ConfigError if there is none."""

    def __init__(self, python: str) -> None:
        prefix = Path(python).absolute().parents[1]
        self.folders = [str(path) for path in sorted(prefix.glob("lib*/python3*/site-packages"))]
        if not Path(python).is_file() or not self.folders:
            raise ConfigError(
                f"{python} is no interpreter of a virtual environment; make one with"
                " `python -m venv`"
            )

    @cached_property
    def installed(self) -> dict[str, Distribution]:
        """Distributions by canonical name, without this package."""
        named = {str(canonicalize_name(one.name)): one for one in distributions(path=self.folders)}
        named.pop(canonicalize_name(OURS), None)
        return named

    def entries(self) -> dict[str, dict[str, list[EntryPoint]]]:
        """Entry points by kind and name."""
        entries: dict[str, dict[str, list[EntryPoint]]] = {group: {} for group in GROUPS}
        for one in self.installed.values():
            for entry in one.entry_points:
                group = entry.group.removeprefix("impress_bench.")
                if group in entries and group != entry.group:
                    entries[group].setdefault(entry.name, []).append(entry)
        return entries

    def brings(self, entry: EntryPoint) -> bool:
        """Whether an entry point is one of this environment's."""
        return entry.dist is not None and entry.dist in self.installed.values()

    def code(self, entry: EntryPoint) -> Code:
        """The digest of a distribution's files by its RECORD, and the versions of everything that
        is installed in the environment."""
        assert entry.dist is not None
        record = entry.dist.read_text("RECORD") or ""
        lines = sorted(line for line in record.splitlines() if ".dist-info/" not in line)
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return Code(digest, {name: one.version for name, one in sorted(self.installed.items())})
