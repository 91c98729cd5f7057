"""Images as people have them, whole and broken, each with what is to come of it."""

from __future__ import annotations

import io
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from impress_bench.benchmark.cli import main
from impress_bench.benchmark.pictures.command import run_job
from impress_bench.benchmark.pictures.sources import find_files

HEIGHT, WIDTH = 40, 72


def scene(height=HEIGHT, width=WIDTH) -> np.ndarray:
    """A smooth colour picture whose corners can be told apart."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    return np.stack([255 * x, 255 * y, 128 + 100 * np.sin(6 * x)], axis=2).clip(0, 255).astype("u1")


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


RGB = Image.fromarray(scene())
GREY = RGB.convert("L")
ALPHA = np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype("u1")
RGBA = Image.fromarray(np.dstack([scene(), ALPHA]))
DEEP = Image.fromarray(np.asarray(GREY).astype("u2") * 257)
WIDE = Image.fromarray(np.asarray(GREY).astype("i4") * 1000000)
FLOATS = Image.fromarray(np.asarray(GREY).astype("f4"))
PALETTE = RGB.quantize(32)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PNG, JPEG = encoded(RGB, "PNG"), encoded(RGB, "JPEG", quality=95)
SMALL = RGB.resize((WIDTH // 4, HEIGHT // 4))
#: An animation of two frames, and a preview beside the image, by format.
SECOND = {"save_all": True, "append_images": [RGB.rotate(90)]}
PREVIEW = {"save_all": True, "append_images": [SMALL]}


def turning(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def rotated(orientation: int) -> bytes:
    return encoded(RGB, "JPEG", quality=95, exif=turning(orientation))


def deep_colour() -> bytes:
    """A PNG of 16 bits per colour, which Pillow reads and does not write."""
    rows = (scene().astype(">u2") * 257).reshape(HEIGHT, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return PNG[:8] + b"".join(
        len(content).to_bytes(4, "big") + kind + content
        + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )  # fmt: skip


def tiff_with_preview(first: bool) -> bytes:
    """A TIFF with a smaller version of its image before or behind it, marked as one."""
    buffer = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(buffer, new=True) as pages:
        for image, kind in ((SMALL, 1), (RGB, 0))[:: 1 if first else -1]:
            image.save(pages, "TIFF", tiffinfo={254: kind})
            pages.newFrame()
    return buffer.getvalue()


def huge(side: int = 60000) -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels."""
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + header
    checked = len(header).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return PNG[:8] + checked + PNG[33:]


def wordy() -> bytes:
    """A PNG with more text than Pillow takes."""
    words = PngImagePlugin.PngInfo()
    words.add_text("parameters", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    return encoded(RGB, "PNG", pnginfo=words)


def flipped(data: bytes, place: float) -> bytes:
    """`data` with a run of bytes overwritten."""
    start = int(len(data) * place)
    return data[:start] + b"\xff\x00" * 20 + data[start + 40 :]


#: Name -> (bytes, expected height and width, or part of the reason of the failure).
CASES: dict[str, tuple[bytes, tuple[int, int] | str]] = {
    "rgb.png": (PNG, (HEIGHT, WIDTH)),
    "rgb.jpg": (JPEG, (HEIGHT, WIDTH)),
    "UPPER.JPEG": (JPEG, (HEIGHT, WIDTH)),
    "rgb.webp": (encoded(RGB, "WEBP", lossless=True), (HEIGHT, WIDTH)),
    "rgb.bmp": (encoded(RGB, "BMP"), (HEIGHT, WIDTH)),
    "rgb.tiff": (encoded(RGB, "TIFF"), (HEIGHT, WIDTH)),
    "still.gif": (encoded(PALETTE, "GIF"), (HEIGHT, WIDTH)),
    "grey.png": (encoded(GREY, "PNG"), (HEIGHT, WIDTH)),
    "grey.jpg": (encoded(GREY, "JPEG"), (HEIGHT, WIDTH)),
    "bits.png": (encoded(GREY.convert("1"), "PNG"), (HEIGHT, WIDTH)),
    "palette.png": (encoded(PALETTE, "PNG"), (HEIGHT, WIDTH)),
    "palette-clear.png": (encoded(PALETTE, "PNG", transparency=0), (HEIGHT, WIDTH)),
    "rgba.png": (encoded(RGBA, "PNG"), (HEIGHT, WIDTH)),
    "rgba.webp": (encoded(RGBA, "WEBP", lossless=True, exact=True), (HEIGHT, WIDTH)),
    "grey-alpha.png": (encoded(RGBA.convert("LA"), "PNG"), (HEIGHT, WIDTH)),
    "clear-colour.png": (encoded(RGB, "PNG", transparency=(0, 0, 128)), (HEIGHT, WIDTH)),
    "deep.png": (encoded(DEEP, "PNG"), (HEIGHT, WIDTH)),
    "deep.tif": (encoded(DEEP, "TIFF"), (HEIGHT, WIDTH)),
    "cmyk.jpg": (encoded(RGB.convert("CMYK"), "JPEG"), (HEIGHT, WIDTH)),
    "ycbcr.tif": (encoded(RGB.convert("YCbCr"), "TIFF"), (HEIGHT, WIDTH)),
    "profile.png": (encoded(RGB, "PNG", icc_profile=SRGB), (HEIGHT, WIDTH)),
    "turned.jpg": (rotated(6), (WIDTH, HEIGHT)),
    "mirrored.jpg": (rotated(2), (HEIGHT, WIDTH)),
    "nonsense-turn.jpg": (rotated(77), (HEIGHT, WIDTH)),
    "a pixel.png": (encoded(RGB.crop((3, 3, 4, 4)), "PNG"), (1, 1)),
    "line.png": (encoded(Image.fromarray(scene(1, 90)), "PNG"), (1, 90)),
    "sixty-four.png": (encoded(Image.fromarray(scene(64, 64)), "PNG"), (64, 64)),
    "odd size.png": (encoded(Image.fromarray(scene(67, 131)), "PNG"), (67, 131)),
    "naïve ☂.png": (PNG, (HEIGHT, WIDTH)),
    "really-a-png.jpg": (PNG, (HEIGHT, WIDTH)),
    "empty.png": (b"", "empty"),
    "text.png": (b"not an image at all", "no image format"),
    "cut.png": (PNG[: len(PNG) // 2], "cannot be read"),
    "cut.jpg": (JPEG[: len(JPEG) // 2], "cannot be read"),
    "header-only.png": (PNG[:40], ""),
    "broken.png": (flipped(PNG, 0.4), "cannot be read"),
    "huge.png": (huge(), "megapixels"),
    "floats.tif": (encoded(FLOATS, "TIFF"), "floating-point"),
    "moving.gif": (
        encoded(PALETTE, "GIF", save_all=True, append_images=[RGB.rotate(90).quantize(8)]),
        "animation of 2 images",
    ),
    "moving.png": (encoded(RGB, "PNG", **SECOND), "animation of 2 images"),
    "moving.apng": (encoded(RGB, "PNG", **SECOND), "animation of 2 images"),
    "moving.webp": (encoded(RGB, "WEBP", **SECOND), "animation of 2 images"),
    "phone.jpg": (encoded(RGB, "MPO", **PREVIEW), (HEIGHT, WIDTH)),
    "phone.mpo": (encoded(RGB, "MPO", **PREVIEW), (HEIGHT, WIDTH)),
    "pages.tif": (encoded(RGB, "TIFF", **SECOND), "stack of 2 images"),
    "preview-behind.tif": (tiff_with_preview(False), (HEIGHT, WIDTH)),
    "preview-first.tif": (tiff_with_preview(True), (HEIGHT, WIDTH)),
    "turned.png": (encoded(RGB, "PNG", exif=turning(8)), (WIDTH, HEIGHT)),
    "turned.webp": (encoded(RGB, "WEBP", exif=turning(6)), (WIDTH, HEIGHT)),
    "turned.tif": (encoded(RGB, "TIFF", exif=turning(5)), (WIDTH, HEIGHT)),
    "inks.tif": (encoded(RGB.convert("CMYK"), "TIFF"), (HEIGHT, WIDTH)),
    "lab.tif": (encoded(RGB.convert("LAB"), "TIFF"), (HEIGHT, WIDTH)),
    "deep-colour.png": (deep_colour(), (HEIGHT, WIDTH)),
    "wordy.png": (wordy(), "more text than Pillow takes"),
    "above-pillow's-limit.png": (huge(19000), "19000 x 19000 is above the limit of 100 megapixels"),
    "panorama.png": (encoded(Image.fromarray(scene(2, 1500)), "PNG"), (2, 1500)),
    "wide-values.tif": (encoded(WIDE, "TIFF"), "32-bit values"),
    f"{'n' * 251}.png": (PNG, (HEIGHT, WIDTH)),
    f"{'m' * 250}.jpg": (JPEG, "longer than the file system allows"),
    f"{'m' * 250}.png": (PNG, "longer than the file system allows"),
    "photo.heic": (b"ftypheic", ".heic is not read; convert it to PNG"),
    "signature.webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", ""),
}


#: What systems leave behind.
JUNK = (".hidden.png", ".DS_Store", "._rgb.png", "Thumbs.db", "desktop.ini", "~$rgb.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for name, (data, _) in CASES.items():
        (source / name).write_bytes(data)
    (source / "notes.txt").write_text("not to be touched")
    for name in JUNK:
        (source / name).write_bytes(b"no image")
    (source / "folder.png").mkdir()
    return source


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Runs a plugin on a folder: outcomes by file name."""

    def start(kind: str, spec: str, source: Path, target: str = "out", **options):
        given = {
            "model": "atelier", "preset": "paper", "fit": "resize", "masks": None, "seed": 0,
            "max_megapixels": 100.0, "force": False, "quiet": True, **options,
        }  # fmt: skip
        outcomes = run_job(kind, spec, source, tmp_path / target, **given)
        return {outcome.source.name: outcome for outcome in outcomes}

    return start


def test_there_are_enough_of_them():
    assert len(CASES) >= 60
    assert sum(isinstance(expected, str) for _, expected in CASES.values()) >= 18


@pytest.mark.parametrize(
    ("kind", "spec", "fit"),
    [
        ("protection", "glaze[steps=1,transfer_steps=2]", "resize"),
        ("protection", "identity", "tile"),
        ("purifier", "vae-round-trip", "resize"),
    ],
)
def test_every_image_ends_as_it_should(folder, job, tmp_path, kind, spec, fit):
    outcomes = job(kind, spec, folder, fit=fit)
    ignored = {name: outcomes.pop(name) for name in (*JUNK, "notes.txt", "folder.png")}
    assert {outcome.state for outcome in ignored.values()} == {"ignored"}
    assert all(outcome.reason for outcome in ignored.values())
    assert set(outcomes) == {*CASES}
    for name, (_, expected) in CASES.items():
        outcome = outcomes[name]
        if isinstance(expected, str):
            assert outcome.state == "failed", name
            assert expected in outcome.reason, name
            continue
        assert outcome.state == "done", (name, outcome.reason)
        with Image.open(outcome.target) as written:
            assert written.format == "PNG"
            assert written.size == expected[::-1], name
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert len(made) == sum(outcome.state == "done" for outcome in outcomes.values())


def test_the_command_names_every_file_of_a_folder(folder, tmp_path, monkeypatch, capsys):
    """Done, failed or ignored; exit code 1, since some failed."""
    arguments = ["purify", str(folder), str(tmp_path / "out"), "--purifier", "none", "--json"]
    monkeypatch.setattr(sys, "argv", ["impress-bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert {Path(one["source"]) for one in told} == set(folder.iterdir())
    assert len(told) >= 60
    states = {Path(one["source"]).name: one["state"] for one in told}
    assert all(states[name] in ("ignored", "failed", "done") for name in states)
    assert sum(state == "ignored" for state in states.values()) == len(JUNK) + 2
    assert all(one["reason"] for one in told if one["state"] != "done")


def test_an_image_nothing_is_done_to_comes_back_as_it_was(folder, job):
    """Through the identity: colours, transparency, depth, rotation and profile, pixel for pixel."""
    outcomes = job("protection", "identity", folder)

    def written(name):
        with Image.open(outcomes[name].target) as image:
            return np.asarray(image), image.info

    assert np.array_equal(written("rgb.png")[0], scene())
    assert np.array_equal(written("odd size.png")[0], scene(67, 131))
    assert np.array_equal(written("rgba.png")[0], np.asarray(RGBA))
    assert np.array_equal(written("rgba.webp")[0], np.asarray(RGBA))
    assert np.array_equal(written("grey-alpha.png")[0][..., 3], ALPHA)
    assert np.array_equal(written("deep.png")[0], np.asarray(GREY.convert("RGB")))
    assert np.array_equal(written("palette.png")[0], np.asarray(PALETTE.convert("RGB")))
    assert written("profile.png")[1]["icc_profile"] == SRGB
    upright, stored = written("turned.jpg")[0], written("rgb.jpg")[0]
    assert np.array_equal(upright, np.rot90(stored, -1))
    assert np.array_equal(written("mirrored.jpg")[0], stored[:, ::-1])
    assert np.array_equal(written("turned.png")[0], np.rot90(scene(), 1))
    assert np.array_equal(written("turned.tif")[0], np.rot90(scene()[:, ::-1], 1))
    assert np.array_equal(written("deep-colour.png")[0], scene())
    assert np.array_equal(written("preview-first.tif")[0], scene())
    assert np.array_equal(written("preview-behind.tif")[0], scene())
    with Image.open(folder / "phone.jpg") as phone:
        assert np.array_equal(written("phone.jpg")[0], np.asarray(phone))
    assert "exif" not in written("turned.jpg")[1]


def test_images_that_share_a_stem_keep_their_whole_names(folder, tmp_path):
    targets = {path.name: out.name for path, out in find_files(folder, tmp_path).images.items()}
    assert targets["rgb.png"] == "rgb.png.png"
    assert targets["rgb.webp"] == "rgb.webp.png"
    assert targets["cmyk.jpg"] == "cmyk.png"
