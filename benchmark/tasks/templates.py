"""Prompts with places for names, checked where they are set and not where they are painted."""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter


def checked_template(template: str, places: Collection[str]) -> str:
    """`template` if `str.format` fills it from `places` alone, an empty one standing for `{}`.

    Raises ValueError, naming what it may hold, for other places, for parts of them (`{a.b}`), for
    conversions, and for braces that do not close.
    """
    known = ", ".join(f"{{{place}}}" for place in places if place != "0")
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{template!r} is no template ({error}); it may hold {known}") from None
    for _, place, form, conversion in parts:
        if place not in places or form or conversion:
            written = f"{place}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            raise ValueError(
                f"{template!r} asks for {{{written}}}; it may hold {known}, and a brace itself is"
                " written twice"
            )
    return template
