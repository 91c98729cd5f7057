"""Files that systems and programs leave in folders, and that nobody means."""

from __future__ import annotations

#: By their names in lower case; hidden files, such as .DS_Store or macOS' ._a.png, are meant too.
LEFT_BEHIND = frozenset(
    ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "lost+found")
)


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name counts for nothing: hidden, or left by a system."""
    lower = name.lower()
    return (
        lower.startswith((".", "~$")) or lower in LEFT_BEHIND or lower.endswith(":zone.identifier")
    )
