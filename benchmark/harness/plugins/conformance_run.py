"""Runs the conformance checks of `attacks.testing` and `protections.testing` on one plugin."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec

GROUPS = ("protections", "purifiers")


class Verdict(NamedTuple):
    """How one check ended: `failure` is empty if the plugin passed. `peak_gb` is the peak memory of
    the process so far, in GiB, the model and torch included."""

    check: str
    about: str
    failure: str
    seconds: float
    peak_gb: float


def resolve(text: str, settings: Mapping[str, Mapping[str, Any]], registry: Registry) -> Component:
    """The protection or purifier with the spec `text`. Raises ConfigError."""
    spec = parse_spec(text)
    groups = [group for group in GROUPS if spec.name in registry.entries[group]]
    if not groups:
        known = sorted(name for group in GROUPS for name in registry.entries[group])
        raise ConfigError(unknown("protection or purifier", spec.name, known))
    try:
        component = registry.resolve(groups[0], spec, settings)
    except PluginError as error:
        raise ConfigError(str(error)) from None
    if component.surrogate:
        raise ConfigError(f"{text}: checks run on the atelier; leave the surrogate out")
    return component


def check(component: Component, control: bool = False) -> Iterator[Verdict]:
    """Yields a verdict per check. `control`: the protection is not meant to protect."""
    from impress_bench.attacks.testing import PurifierConformance
    from impress_bench.benchmark.conformance import checks
    from impress_bench.protections.testing import ProtectionConformance

    base = ProtectionConformance if component.kind == "protection" else PurifierConformance
    case = type("Case", (base,), {"build": lambda self: component.create(), "control": control})()
    for name, about, method in checks(case):
        started, failure = time.monotonic(), ""
        try:
            method()
        except AssertionError as error:
            failure = str(error) or "failed an assertion"
        except (Exception, SystemExit) as error:
            failure = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - started
        yield Verdict(name.replace("_", " "), about, failure, seconds, _peak_gb())


def _peak_gb() -> float:
    """getrusage counts in KiB, on macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
