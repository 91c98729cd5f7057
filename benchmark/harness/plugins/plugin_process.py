"""Runs a third-party plugin in a process of its own, under this interpreter or another one.

Jobs and answers are files (see `messages`). The process is confined as far as the system allows
(see `sandbox`), so that it can spoil its own results alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import OURS, Component
from impress_bench.benchmark.harness.plugins.messages import (
    IMAGES_OUT,
    JOB,
    PROTOCOL,
    Applied,
    Described,
    Failure,
    Refused,
    component_document,
    read_answer,
)
from impress_bench.benchmark.harness.plugins.other_environment import OtherEnvironment
from impress_bench.benchmark.harness.storage.keys import canonical_json
from impress_bench.benchmark.sandbox.confine import (
    Ending,
    Walls,
    hub_cache,
    run_confined,
    scratch_folder,
    secrets,
)

SERVER = "impress_bench.benchmark.harness.execution.serve_plugin"


@dataclass(frozen=True)
class Limits:
    """Limits of one call: seconds of wall time, and GiB of memory."""

    time_s: float
    memory_gb: float

    @classmethod
    def of(cls, preset: Preset) -> Limits:
        """Those of a preset; by default an hour, and three quarters of the machine's memory divided
        by the number of worker processes, one per `preset.threads` cores."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        processes = max(1, (os.cpu_count() or 1) // preset.threads)
        share = 0.75 * machine / processes
        return cls(preset.time_limit_s or 3600.0, preset.memory_limit_gb or share)


class Called(NamedTuple):
    """The folder of a call that has ended, its answer besides images, and how it ended."""

    folder: Path
    said: Applied
    ending: Ending


@dataclass(frozen=True)
class PluginProcess:
    """How plugins of other packages are called: within `limits`, without a sight of the `hidden`
    folders. `python`, if not empty, is the interpreter of another virtual environment, and calls
    what is installed there; what is installed here is called by this one."""

    limits: Limits
    python: str = ""
    hidden: tuple[Path, ...] = ()

    @classmethod
    def of(cls, preset: Preset, root: Path) -> PluginProcess:
        """That of a preset, whose results are stored in `root`."""
        return cls(Limits.of(preset), preset.plugin_python or "", (root,))

    def decide(self, draft: Component, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A plugin's parameters and declarations. Raises ConfigError and PluginError."""
        plugin = f"{draft.kind} {draft.label}"
        job = {"ask": "decide", "settings": settings}
        with scratch_folder() as folder:
            self._run(plugin, folder, draft, job)
            answer = _answer(plugin, folder, Described)
            if answer.failure is not None and answer.failure.kind == "config":
                raise ConfigError(answer.failure.message)
            _raise(plugin, answer.failure)
            if answer.decided is None:
                raise PluginError(plugin, "its process ended without an answer on its parameters")
            decided: dict[str, Any] = answer.decided.model_dump()
            return decided

    @contextmanager
    def apply(
        self, component: Component, job: Mapping[str, Any], fill: Callable[[Path], None]
    ) -> Iterator[Called]:
        """The folder of a call while the block lasts; `fill(folder)` writes the images there.

        Raises PluginError if the process fails.
        """
        plugin = f"{component.kind} {component.label}"
        with scratch_folder() as folder:
            fill(folder)
            ending = self._run(plugin, folder, component, {"ask": "apply", **job})
            said = _answer(plugin, folder, Applied)
            _raise(plugin, said.failure)
            yield Called(folder, said, ending)

    def _run(
        self, plugin: str, folder: Path, component: Component, job: Mapping[str, Any]
    ) -> Ending:
        (folder / IMAGES_OUT).mkdir()
        (folder / IMAGES_OUT).chmod(0o777)
        document = {
            "protocol": PROTOCOL,
            "version": version(OURS),
            "component": component_document(component),
            **job,
        }
        (folder / JOB).write_text(canonical_json(document))
        for path in folder.rglob("*"):
            if path != folder / IMAGES_OUT:
                path.chmod(0o755 if path.is_dir() else 0o644)
        python = self.python if self._is_theirs(component) else ""
        words = [python or sys.executable, "-P", "-m", SERVER, str(folder)]
        places = [] if python else [str(Path(one).resolve()) for one in sys.path if one]
        environment = {"PYTHONPATH": os.pathsep.join(places)} if places else {}
        limits, walls = self.limits, self._walls(component, python, places)
        ending = run_confined(
            plugin, words, folder, limits.time_s, limits.memory_gb, walls, environment
        )
        if python and ending.missing:  # judged as strangers are, or not at all
            told = f"this system cannot confine it: {'; '.join(ending.missing)}"
            raise PluginError(plugin, told)
        return ending

    def _is_theirs(self, component: Component) -> bool:
        """Whether a component, or a part of it, is installed beside the other interpreter."""
        parts = (component, *component.adaptations, *component.then, *component.injected.values())
        installed = _installed(self.python) if self.python else frozenset()
        return any(canonicalize_name(part.distribution) in installed for part in parts)

    def _walls(self, component: Component, python: str, places: Sequence[str]) -> Walls:
        """Another interpreter's plugin sees its own environment and nothing of this user's."""
        named = tuple(Path(one) for one in _files(component))
        if not python:
            models = tuple(one for one in [Path(hub_cache())] if one.exists())
            needed = (*map(Path, places), *map(Path, _code()), *named, *models)
            return Walls((*self.hidden, *secrets()), needed=needed)
        theirs = Path(python).absolute()
        shown = (theirs.parents[1], theirs.resolve().parents[1], Path(hub_cache()), *named)
        return Walls((*self.hidden, Path.home(), Path.cwd()), shown, needed=(theirs, *shown[:2]))


@lru_cache(maxsize=4)
def _installed(python: str) -> frozenset[str]:
    return frozenset(OtherEnvironment(python).installed)


def _files(component: Component) -> list[str]:
    """The files that a component's parameters name, and its models that are folders."""
    parts = (component, *component.adaptations, *component.then, *component.injected.values())
    named = [str(part.parameters[name]) for part in parts for name in part.files]
    models = (component.surrogate, *component.further_models)
    return [path for path in (*named, *models) if path and Path(path).exists()]


def _code() -> list[str]:
    """The folders of the interpreter that runs this, and of `impress_bench.benchmark`."""
    return [sys.prefix, sys.base_prefix, str(Path(__file__).parents[2])]


def _answer(plugin: str, folder: Path, model: Any) -> Any:
    try:
        return read_answer(folder, model)
    except Refused as error:
        raise PluginError(plugin, f"its process ended and left no result ({error})") from None


def _raise(plugin: str, failure: Failure | None) -> None:
    """Raise the error of the other process, with its traceback as a note."""
    if failure is None:
        return
    error = PluginError(plugin, failure.message, State(failure.state))
    if failure.trace:
        error.add_note(failure.trace)
    raise error
