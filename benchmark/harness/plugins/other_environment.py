"""Plugins that are installed beside another interpreter. Its metadata are read; nothing of it runs
or is imported here."""

from __future__ import annotations

import hashlib
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.source_digest import Code

#: What may come from there: what works in a process of its own.
GROUPS = ("protections", "purifiers", "adaptations")


class OtherEnvironment:
    """What is installed where `python`, the interpreter of a virtual environment, lies. Raises
    ConfigError if there is none."""

    def __init__(self, python: str) -> None:
        prefix = Path(python).absolute().parents[1]
        self.folders = [str(path) for path in sorted(prefix.glob("lib*/python3*/site-packages"))]
        if not Path(python).is_file() or not self.folders:
            told = f"{python} is no interpreter of a virtual environment"
            raise ConfigError(f"{told}; make one with `python -m venv`")

    @cached_property
    def installed(self) -> dict[str, Distribution]:
        """Distributions by canonical name, without this package."""
        found = {str(canonicalize_name(one.name)): one for one in distributions(path=self.folders)}
        found.pop(canonicalize_name(OURS), None)
        return found

    def entries(self) -> dict[str, dict[str, list[EntryPoint]]]:
        """Entry points by kind and name."""
        found: dict[str, dict[str, list[EntryPoint]]] = {group: {} for group in GROUPS}
        for one in self.installed.values():
            for entry in one.entry_points:
                group = entry.group.removeprefix("impress_bench.")
                if group in found and group != entry.group:
                    found[group].setdefault(entry.name, []).append(entry)
        return found

    def brings(self, entry: EntryPoint) -> bool:
        """Whether an entry point is one of these."""
        return entry.dist is not None and entry.dist in self.installed.values()

    def code(self, entry: EntryPoint) -> Code:
        """The digests of a distribution's files as its installer noted them, and the versions of
        all that is installed there."""
        assert entry.dist is not None
        record = entry.dist.read_text("RECORD") or ""
        lines = sorted(line for line in record.splitlines() if ".dist-info/" not in line)
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return Code(digest, {name: one.version for name, one in sorted(self.installed.items())})
