"""Errors of usage and configuration: one message that names the place and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from impress_bench.benchmark.contract import PluginError


class ConfigError(Exception):
    """The user's request cannot be understood; the command line shows it and exits with 2."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """`Unknown purifier 'impres'. Did you mean: impress? Available: …`"""
    known = list(known)
    close = get_close_matches(name, known, n=3)
    hint = f" Did you mean: {', '.join(close)}?" if close else ""
    return f"Unknown {what} {name!r}.{hint} Available: {', '.join(known) or 'none'}"


def plugin_error(kind: str, label: str, what: str, error: BaseException) -> PluginError:
    """An error that carries the plugin's name and the first line of its cause."""
    message = str(error).strip().partition("\n")[0]
    cause = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return PluginError(f"{kind} {label}".strip(), f"{what} ({cause})")
