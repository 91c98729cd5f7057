"""Runs the conformance checks of protections, purifiers and metrics on one plugin."""

from __future__ import annotations

import re
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.plugins.component import Component, load_target
from impress_bench.benchmark.harness.plugins.registry import KINDS, Registry
from impress_bench.benchmark.harness.plugins.source_digest import PROJECT
from impress_bench.benchmark.spec import parse_spec

GROUPS = ("protections", "purifiers", "metrics")


class Verdict(NamedTuple):
    """How one check ended: `failure` is empty if the plugin passed, and `repeated` if an earlier
    check failed for the same reason. `peak_gb` is the peak memory of the process so far, in GiB,
    the model and torch included."""

    check: str
    about: str
    failure: str
    seconds: float
    peak_gb: float
    repeated: bool = False


def resolve(text: str, settings: Mapping[str, Mapping[str, Any]], registry: Registry) -> Component:
    """The protection, purifier or metric with the spec `text`. Raises ConfigError."""
    spec = parse_spec(text)
    groups = [group for group in GROUPS if spec.name in registry.entries[group]]
    if not groups:
        known = sorted(name for group in GROUPS for name in registry.entries[group])
        raise ConfigError(unknown("protection, purifier or metric", spec.name, known))
    try:
        _refuse_another_kind(KINDS[groups[0]], registry.entry(groups[0], spec.name))
        component = registry.resolve(groups[0], spec, settings)
    except PluginError as error:
        raise ConfigError(str(error)) from None
    if component.surrogate:
        raise ConfigError(f"{text}: checks run on the atelier; leave the surrogate out")
    if component.further_models:
        named = ", ".join(component.further_models)
        raise ConfigError(f"{text}: checks run on the atelier; leave out what needs {named}")
    return component


def _refuse_another_kind(registered: str, entry: EntryPoint) -> None:
    """Raise ConfigError for a class of one kind that is registered as another: what both have in
    common, images in and images out, would pass."""
    from impress_bench.attacks import Purifier
    from impress_bench.protections import Protection

    factory = load_target(registered, entry.name, entry.value)
    for base, kind in ((Protection, "protection"), (Purifier, "purifier")):
        if kind != registered and isinstance(factory, type) and issubclass(factory, base):
            raise ConfigError(
                f"{entry.name} is a {base.__name__}, registered as a {registered}: move its"
                f" entry point to impress_bench.{kind}s"
            )


def check(component: Component, control: bool = False) -> Iterator[Verdict]:
    """Yields a verdict per check. `control`: the protection is not meant to protect."""
    from impress_bench.attacks.testing import PurifierConformance
    from impress_bench.benchmark.conformance import MetricConformance, checks
    from impress_bench.protections.testing import ProtectionConformance

    bases = {
        "protection": ProtectionConformance,
        "purifier": PurifierConformance,
        "metric": MetricConformance,
    }
    own = {"build": lambda self: component.create(), "control": control}
    case = type("Case", (bases[component.kind],), own)()
    package = component.target.partition(":")[0]
    causes: dict[str, str] = {}
    for name, about, method in checks(case):
        started, failure, check = time.monotonic(), "", name.replace("_", " ")
        repeated = False
        try:
            method()
        except (Exception, SystemExit) as error:
            failure, cause = explained(error, package)
            repeated = cause in causes
            if repeated:
                failure = f"for the same reason as '{causes[cause]}'"
            causes.setdefault(cause, check)
        seconds = time.monotonic() - started
        yield Verdict(check, about, failure, seconds, _peak_gb(), repeated)


def explained(error: BaseException, module: str) -> tuple[str, str]:
    """The text to print for an error, with the innermost line of the plugin's `module`, and a key
    that is equal for errors of one cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().partition("\n")[0] or "failed without a message"
    if not isinstance(error, AssertionError | PluginError):
        text = f"{type(error).__name__}: {text}"
    where = _line_in(error, module)
    if where:
        return f"{text} ({where})", f"{type(error).__name__} at {where}"
    return text, re.sub(r"[\d.]+", "#", text.partition(", image")[0])


def _line_in(error: BaseException, module: str) -> str:
    """The innermost line of the plugin's package in a traceback; of its module if it is ours."""
    package = module if module.startswith(f"{PROJECT}.") else module.partition(".")[0]
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        if name == package or name.startswith(f"{package}."):
            place = f"{frame.f_code.co_filename}:{line}"
    return place


def _peak_gb() -> float:
    """getrusage counts in KiB, on macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
