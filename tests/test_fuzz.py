"""Whatever is in a file or on the command line: an answer or a clear refusal, soon, and nothing
written. Each property runs on mutations of good input as well as on noise."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from impress_bench.benchmark.commands.options import values_of
from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.datasets.metadata import read_metadata
from impress_bench.benchmark.datasets.pictures import (
    Picture,
    UnreadablePictureError,
    read_picture,
)
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import load_preset, shipped_presets
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.spec import parse_spec, parse_specs, parse_value

#: Of the processor and per megabyte, or begun one.
SECONDS = 1.0
fuzzed = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@contextmanager
def refused(kind: type[Exception], *naming: str) -> Iterator[None]:
    """Lets an error of this kind pass if it names one of the given, if any are."""
    try:
        yield
    except kind as error:
        told = str(error)
        assert told
        assert not naming or any(name in told for name in naming)


@contextmanager
def soon(size: int) -> Iterator[None]:
    """Fails what takes longer than input of so many bytes or characters may."""
    started = time.process_time()
    yield
    assert time.process_time() - started < SECONDS * max(1.0, size / 1e6)


@contextmanager
def untouched() -> Iterator[Path]:
    """A folder within another, of which nothing may be changed but what the test itself writes into
    the folder."""
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer) / "folder"
        folder.mkdir()
        yield folder
        assert [path.name for path in Path(outer).iterdir()] == ["folder"]


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@st.composite
def mutated(draw: Callable[..., object], data: bytes, within: int | None = None) -> bytes:
    """`data` with some of its first `within` bytes overwritten, cut out, repeated or inserted."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, min(len(result), within or len(result))))
        length = draw(st.integers(0, 8))
        kind = draw(st.sampled_from(("write", "cut", "repeat", "insert")))
        piece = draw(st.binary(min_size=length, max_size=length))
        if kind == "repeat":
            piece = bytes(result[place : place + length]) * draw(st.integers(1, 20))
        result[place : place + (0 if kind == "insert" else length)] = (
            b"" if kind == "cut" else piece
        )
    return bytes(result)


SPECS = (
    "glaze[p=0.05]+o-pgd,jpeg>impress[lr='a b',x=16/255],dir:/a/b,exec:\"x {in} {out}\",a[b=c[d=1]]"
)
spec_text = st.one_of(
    st.text(alphabet="ab[]=,>+'\"/.-_0129eE:{} \n²é٣\0", max_size=30),
    mutated(SPECS.encode()).map(lambda data: data.decode("utf-8", "replace")),
)


@fuzzed
@given(spec_text)
@example("a[b=" + "9" * 5000 + "]")
@example("a[b=1e999]")
@example("a[b=" + "9" * 400 + "/3]")
def test_specs(text):
    """What is read is written so that it reads back the same."""
    for parse in (parse_spec, parse_value):
        try:
            with soon(len(text)):
                found = parse(text)
        except ConfigError:
            continue
        if parse is parse_spec:
            assert parse_spec(str(found)) == found
    for flag in ("protections", "purifiers", "subjects", "seeds"):
        with refused(ConfigError, f"--{flag}: "):
            values_of({flag: text})


LINES = {
    "metadata.jsonl": '{"file_name": "a.png", "title": "a boat", "movement": "cubism"}\n\n'
    '{"file_name": "b.png", "text": "été\u2028"}\n',
    "metadata.csv": 'file_name,title,movement\na.png,"a, boat",cubism\nb.png,été,\n',
    "a.txt": "a boat\nNegative prompt: rain\nSteps: 20\n",
}


@pytest.mark.parametrize("name", LINES)
@fuzzed
@given(st.data())
def test_metadata(name, data):
    content = data.draw(st.one_of(mutated(LINES[name].encode()), st.binary(max_size=200)))
    with untouched() as folder:
        for image in ("a.png", "b.png"):
            (folder / image).touch()
        (folder / name).write_bytes(content)
        before = content_of(folder)
        with refused(PluginError, name):
            with soon(len(content)):
                said = read_metadata(folder)
            assert all(path.parent == folder for path in said)
            "".join(str(entry.get("title")) for entry in said.values()).encode()
        assert content_of(folder) == before


def _encoded(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    levels = np.arange(12 * 16 * 3).reshape(12, 16, 3) % 256
    image = Image.fromarray(levels.astype("u1"))
    (image.quantize(16) if form == "GIF" else image).save(buffer, form, **options)
    return buffer.getvalue()


IMAGES = {form: _encoded(form) for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM")}


@pytest.mark.parametrize("form", IMAGES)
@fuzzed
@given(st.data())
def test_images(form, data):
    """Headers above all: what they claim is not believed."""
    content = data.draw(mutated(IMAGES[form], within=120))
    with refused(UnreadablePictureError):
        with soon(len(content)):
            found = read_picture(content, max_megapixels=1.0)
        assert isinstance(found, Picture)
        assert found.rgb.dtype == np.uint8
        assert 0 < found.rgb.size <= 3e6


QUICK = shipped_presets()["quick"].read_bytes()
plain = st.one_of(
    st.none().map(lambda _: ""), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)
)
tables = st.dictionaries(
    st.sampled_from([*Preset.model_fields, "extends", "styl", "pseudo.key"]),
    st.recursive(
        plain,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["tasks", "target", "a", "jpeg"]), inner, max_size=3),
        ),
        max_leaves=6,
    ),
    max_size=5,
)


@fuzzed
@given(
    st.one_of(
        mutated(QUICK),
        st.binary(max_size=100),
        tables.map(lambda table: tomli_w.dumps({"extends": "quick", **table}).encode()),
    )
)
@example(b"a = " + b"[" * 50_000)
@example(b"seeds = [" + b"9" * 5000 + b"]")
def test_presets(content):
    with untouched() as folder:
        (folder / "mine.toml").write_bytes(content)
        with refused(ConfigError, "mine.toml"), soon(len(content)):
            preset = load_preset(folder / "mine.toml")
            for field in ("tasks", "protections", "purifiers", "metrics"):
                preset.specs(field)
        assert [path.name for path in folder.iterdir()] == ["mine.toml"]


INPUTS = {"stage": "protect", "parts": {"x": 1}}
KEY = sha256(canonical_json(INPUTS).encode())
STORED = Result(ImageSet(np.zeros((1, 4, 4, 3), np.uint8), ("a",), ("a title",)), {"value": 1.0})


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> tuple[Store, Path]:
    """A store with one object, and its manifest."""
    store = Store(tmp_path_factory.mktemp("store"))
    store.put(KEY, INPUTS, STORED, 1.0)
    return store, store.path(KEY) / "manifest.json"


@fuzzed
@given(st.data())
def test_manifests(manifest, data):
    """A damaged one is as good as none; a sound one gives what was stored."""
    store, path = manifest
    original = path.read_bytes()
    document = json.loads(original)
    values = st.one_of(
        plain, st.lists(plain, max_size=2), st.dictionaries(st.text(), plain, max_size=2)
    )
    changed = {
        key: data.draw(values)
        for key in data.draw(st.sets(st.sampled_from([*document, "peak_bytes"])))
    }
    content = data.draw(
        st.one_of(mutated(original), st.just(json.dumps({**document, **changed}).encode()))
    )
    before = content_of(store.root)
    path.write_bytes(content)
    try:
        with soon(len(content)):
            found = Store(store.root).find(KEY)
        if found is not None:
            assert found.seconds is not None
            found.result()
    finally:
        path.write_bytes(original)
    assert content_of(store.root) == before


@pytest.mark.parametrize(
    "name", ["../../outside", "/dev/zero", "a/../../b", ".", "images/../x", ""]
)
def test_a_manifest_names_files_beside_it_alone(manifest, name):
    store, path = manifest
    original = path.read_bytes()
    document = json.loads(original)
    document["files"][name] = sha256(b"")
    path.write_text(json.dumps(document))
    try:
        assert Store(store.root).find(KEY) is None
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize("piece", ["[", "a,", "a[b=c],", "'", "a>", "+", "1", "a[", "]", "é"])
def test_a_megabyte_of_a_spec_takes_no_second(piece):
    text = piece * (200_000 // len(piece))
    with soon(len(text)), pytest.raises(ConfigError):
        parse_specs(text + "[")


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_metadata_of_many_images_takes_no_second_per_megabyte(tmp_path, name):
    names = [f"{at:06d}.png" for at in range(4000)]
    for image in names:
        (tmp_path / image).touch()
    lines = [f"{image},a title\n" for image in names]
    if name.endswith("jsonl"):
        lines = [json.dumps({"file_name": image, "title": "a title"}) + "\n" for image in names]
    text = "".join(["file_name,title\n" * name.endswith("csv"), *lines])
    (tmp_path / name).write_text(text)
    with soon(len(text)):
        assert len(read_metadata(tmp_path)) == len(names)
