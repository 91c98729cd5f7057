"""Reading the settings of a folder in diffusers layout. Imports no torch and no family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class UnusableModelError(ValueError):
    """A model that cannot be loaded; the message says why, its name is the caller's to add."""


def settings(path: Path) -> dict[str, Any] | None:
    """A JSON file's object; None where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
