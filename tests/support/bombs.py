"""Files that claim to be larger than they are."""

import io
import zlib

from PIL import Image


def bomb(side: int = 60000) -> bytes:
    """A PNG whose header claims `side` x `side` pixels in RGB."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    small = buffer.getvalue()
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + header
    checked = len(header).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return small[:8] + checked + small[33:]
