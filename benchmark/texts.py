"""Text files that people write: their encoding, and names that look the same but are not."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

#: UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class EncodingError(ValueError):
    """A text file that is not UTF-8; the message says what it seems to be and what to do."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark; line ends are as they are.

    Raises OSError where it cannot be read, EncodingError where it is no UTF-8.
    """
    data = path.read_bytes()
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            raise EncodingError(f"is {encoding}; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EncodingError(
            f"is not UTF-8 (byte 0x{data[error.start]:02x} in line {line}; Windows' cp1252"
            " perhaps); save it as UTF-8"
        ) from None


def one_line(text: str) -> str:
    """`text` with line breaks and control characters written as escapes (`\\n`).

    Names and messages of others stand in it, and a line that begins with `::` is a command to the
    systems that run checks; so is `##[` anywhere in a line.
    """
    escaped = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
    return escaped.replace("##[", "## [")


def composed(name: str) -> str:
    """`name` in Unicode's composed form (NFC). macOS writes accents of file names as characters of
    their own, other systems do not."""
    return unicodedata.normalize("NFC", name)
