"""What picture strips are drawn on: pixels (PNG), or vectors around embedded images (SVG).

Both get the same calls from one layout. Text is measured with the font that the PNG is drawn with;
the SVG states that width of each line, so that another font cannot run into what stands beside it.
"""

from __future__ import annotations

import base64
import io
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol
from xml.etree import ElementTree as Xml

import matplotlib
from PIL import Image, ImageDraw, ImageFont

Resample = Literal["nearest", "lanczos"]
# The font that matplotlib ships has "∞" and "é"; Pillow's own has ASCII alone.
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
FAMILY = "DejaVu Sans, Verdana, sans-serif"
#: What no XML document may hold, however it is escaped, and no UTF-8 text.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Canvas(Protocol):
    """Coordinates are pixels from the top left corner; colours are written `#rrggbb`."""

    def text(self, x: float, y: float, line: str, colour: str, size: int, anchor: str) -> None:
        """One line of text, `size` pixels high. `anchor` is Pillow's: "l" or "m" for its left end
        or its middle at `x`, then "a", "m", "s" or "d" for ascender, middle, baseline or descender
        at `y`."""

    def rectangle(self, left: int, top: int, width: int, height: int, colour: str) -> None:
        """A filled rectangle."""

    def picture(
        self, left: int, top: int, image: Image.Image, scale: int, resample: Resample
    ) -> None:
        """An image, `scale` times as large."""

    def data(self) -> bytes:
        """The file."""


class RasterCanvas:
    """A PNG."""

    def __init__(self, width: int, height: int, paper: str) -> None:
        self._image = Image.new("RGB", (width, height), paper)
        self._draw = ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, line: str, colour: str, size: int, anchor: str) -> None:
        """See `Canvas`."""
        self._draw.text((x, y), line, colour, font(size), anchor=anchor)

    def rectangle(self, left: int, top: int, width: int, height: int, colour: str) -> None:
        """See `Canvas`."""
        self._draw.rectangle((left, top, left + width - 1, top + height - 1), colour)

    def picture(
        self, left: int, top: int, image: Image.Image, scale: int, resample: Resample
    ) -> None:
        """See `Canvas`."""
        self._image.paste(_enlarged(image, scale, resample), (left, top))

    def data(self) -> bytes:
        """See `Canvas`."""
        return _png(self._image)


class VectorCanvas:
    """An SVG. Images that are enlarged without smoothing are embedded at their own size."""

    def __init__(self, width: int, height: int, paper: str) -> None:
        self._root = Xml.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "xmlns:xlink": "http://www.w3.org/1999/xlink",
                **_texts(width=width, height=height, viewBox=f"0 0 {width} {height}"),
                "font-family": FAMILY,
            },
        )
        self.rectangle(0, 0, width, height, paper)

    def text(self, x: float, y: float, line: str, colour: str, size: int, anchor: str) -> None:
        """See `Canvas`."""
        if not line:
            return
        ascent, descent = font(size).getmetrics()
        below = {"a": ascent, "m": (ascent - descent) / 2, "s": 0, "d": -descent}[anchor[1]]
        attributes = _texts(x=x, y=y + below, fill=colour, textLength=font(size).getlength(line))
        attributes |= {"lengthAdjust": "spacingAndGlyphs", "font-size": str(size)}
        attributes["text-anchor"] = {"l": "start", "m": "middle"}[anchor[0]]
        Xml.SubElement(self._root, "text", attributes).text = FORBIDDEN.sub("\ufffd", line)

    def rectangle(self, left: int, top: int, width: int, height: int, colour: str) -> None:
        """See `Canvas`."""
        attributes = _texts(x=left, y=top, width=width, height=height, fill=colour)
        Xml.SubElement(self._root, "rect", attributes)

    def picture(
        self, left: int, top: int, image: Image.Image, scale: int, resample: Resample
    ) -> None:
        """See `Canvas`."""
        width, height = scale * image.width, scale * image.height
        attributes = _texts(x=left, y=top, width=width, height=height)
        if resample == "nearest":
            attributes["style"] = "image-rendering: pixelated"
        else:
            image = _enlarged(image, scale, resample)
        encoded = base64.b64encode(_png(image)).decode()
        attributes["xlink:href"] = f"data:image/png;base64,{encoded}"
        Xml.SubElement(self._root, "image", attributes)

    def data(self) -> bytes:
        """See `Canvas`."""
        Xml.indent(self._root, "")
        written: bytes = Xml.tostring(self._root, encoding="utf-8", xml_declaration=True)
        return written


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of strips, by its height in pixels."""
    return ImageFont.truetype(FONT, size)


def _texts(**numbers: float | str) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else f"{value:g}" for name, value in numbers.items()
    }


def _enlarged(image: Image.Image, scale: int, resample: Resample) -> Image.Image:
    filters = {"nearest": Image.Resampling.NEAREST, "lanczos": Image.Resampling.LANCZOS}
    return image.resize((scale * image.width, scale * image.height), filters[resample])


def _png(image: Image.Image) -> bytes:
    drawn = io.BytesIO()
    image.save(drawn, "PNG", compress_level=2)  # 6 takes four times as long and saves a tenth
    return drawn.getvalue()
