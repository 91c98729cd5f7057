"""Text of ours and of third parties as safe HTML: all of it is escaped, a few marks of Markdown are
kept."""

from __future__ import annotations

import re

from markupsafe import Markup

# Code, bold text and links to https addresses, as cautions and facts about results have them.
MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https://[^()\s\"<>]+)\)")


def inline(text: str) -> Markup:
    """One paragraph of Markdown: code, bold text and links become tags, the rest is escaped."""
    text = text.removeprefix("> ")
    parts, at = [], 0
    for found in MARKS.finditer(text):
        code, bold, label, address = found.groups()
        parts.append(Markup.escape(text[at : found.start()]))
        if code is not None:
            parts.append(Markup("<code>{}</code>").format(code))
        elif bold is not None:
            parts.append(Markup("<strong>{}</strong>").format(bold))
        else:
            parts.append(Markup('<a href="{}" rel="noreferrer">{}</a>').format(address, label))
        at = found.end()
    parts.append(Markup.escape(text[at:]))
    return Markup("").join(parts)


def slug(text: str) -> str:
    """A text as part of an identifier or of a file name: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
