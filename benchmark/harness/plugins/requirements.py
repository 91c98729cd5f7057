"""What an installed distribution requires, and what that requires."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def required_by(name: str) -> set[str]:
    """Canonical names of the installed distributions that `name` needs, itself included; extras are
    left out."""
    needed: set[str] = set()
    pending = [name]
    while pending:
        current = canonicalize_name(pending.pop())
        if current in needed:
            continue
        try:
            required = distribution(current).requires or []
        except PackageNotFoundError:
            continue
        needed.add(current)
        for line in required:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
    return needed
