"""What is said of images, in the files and the encodings in which people have it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.artworks import ArtworkFolder
from impress_bench.benchmark.datasets.folders import image_files
from impress_bench.benchmark.datasets.metadata import read_metadata

COMPOSED, SPLIT = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))


@pytest.fixture
def artist(tmp_path):
    folder = tmp_path / "artists" / "ada"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png", f"{SPLIT}.png"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.write_bytes(text.encode(encoding))


def titles(folder: Path) -> dict[str, str]:
    """By stem, of what metadata of the artist's folder and the one above say."""
    return {
        unicodedata.normalize("NFC", path.stem): entry["title"]
        for path, entry in read_metadata(folder.parent, folder).items()
    }


def jsonl(**said: str) -> str:
    return "".join(
        json.dumps({"file_name": f"{name}.png", "title": title}, ensure_ascii=False) + "\n"
        for name, title in said.items()
    )


ODD_TITLES = ["one\u2028two", "one\u0085two", "one\x0btwo", 'a "b", c', "日本", "tab\there"]


@pytest.mark.parametrize("title", ODD_TITLES)
def test_lines_end_at_line_feeds_alone(artist, title):
    write(artist / "metadata.jsonl", jsonl(a=title, b="other").replace("\n", "\r\n"))
    assert titles(artist) == {"a": title, "b": "other"}


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "a.txt"])
@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "is UTF-16; save it as UTF-8"),
        ("utf-32", "is UTF-32; save it as UTF-8"),
        ("cp1252", "is not UTF-8 .byte 0xe9 in line . Windows' cp1252"),
    ],
)
def test_files_are_utf_8_and_say_if_they_are_not(artist, name, encoding, told):
    content = {
        "metadata.jsonl": jsonl(a="été"),
        "metadata.csv": "file_name,text\na.png,été\n",
        "a.txt": "été\n",
    }[name]
    write(artist / name, content, encoding)
    if not told:
        assert titles(artist) == {"a": "été"}
        return
    with pytest.raises(PluginError, match=told.replace("line .", "line .;")) as caught:
        titles(artist)
    assert str(artist / name) in str(caught.value)


@pytest.mark.parametrize("spelling", [COMPOSED, SPLIT])
@pytest.mark.parametrize("place", ["", "ada/", "./ada/", "ada\\"])
def test_names_are_compared_in_one_form(artist, spelling, place):
    folder = artist.parent if place else artist
    write(folder / "metadata.jsonl", jsonl(**{f"{place}{spelling}": "a title"}))
    assert titles(artist) == {COMPOSED: "a title"}


@pytest.mark.parametrize(
    "table",
    [
        "file_name,title\na.png,a boat\nb.png,\"sea, sky\"\n",
        "file_name;text\r\na.png;a boat\r\nb.png;sea, sky\r\n",
        "title\tfile_name\na boat\ta.png\nsea, sky\tb.png\n",
        "file_name,caption,rating\na.png,a boat,5\nb.png,\"sea, sky\",\n",
    ],
)  # fmt: skip
def test_a_table_is_read(artist, table):
    write(artist / "metadata.csv", table)
    assert titles(artist) == {"a": "a boat", "b": "sea, sky"}


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("a.txt", "a boat\n", "a boat"),
        ("a.caption", "a boat", "a boat"),
        ("a.txt", "a boat, sea,\n  sky\n", "a boat, sea, sky"),
        ("a.txt", "a boat\nNegative prompt: blurry\nSteps: 20, Sampler: Euler", "a boat"),
        ("a.txt", "a boat\nSteps: 20, Sampler: Euler", "a boat"),
        (f"{COMPOSED}.txt", "a boat", "a boat"),
    ],
)
def test_captions_beside_images_are_titles(artist, name, content, title):
    write(artist / name, content)
    assert list(titles(artist).values()) == [title]


def test_sources_add_to_each_other(artist):
    write(artist / "metadata.jsonl", '{"file_name": "a.png", "movement": "cubism"}')
    write(artist / "metadata.csv", "file_name,text\nb.png,by table\n")
    write(artist.parent / "metadata.csv", f"file_name,text\nada/{COMPOSED}.png,from above\n")
    write(artist / "a.txt", "beside")
    write(artist / "b.txt", "by table")
    assert titles(artist) == {"a": "beside", "b": "by table", COMPOSED: "from above"}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"metadata.jsonl": jsonl(a="x") + jsonl(a="y")}, "line 2: says title 'y' of a.png, but"),
        ({"metadata.jsonl": jsonl(a="x"), "a.txt": "y"}, "a.txt: says title 'y'.*line 1 say"),
        ({"metadata.csv": "file_name,text\na.png,y", "a.txt": "x"}, "csv, line 2 says"),
        ({"a.txt": "x", "a.caption": "y"}, "remove one of them"),
        ({"../metadata.csv": "file_name,text\nada/a.png,x", "a.txt": "y"}, "'y'.*'x'"),
        ({"metadata.csv": "file,title\na.png,x\n"}, "no column file_name; it has: file, title"),
        ({"metadata.csv": "file_name,title\na.png,x,y\n"}, "line 2: needs one value per column"),
        ({"metadata.csv": 'file_name,title\na.png,"x\n'}, "is no table of values"),
        ({"metadata.jsonl": jsonl(A="x")}, "'A.png' is not there; did you mean"),
        ({"metadata.jsonl": jsonl(**{"../ada/a": "x"})}, "is not there"),
        ({"metadata.jsonl": jsonl(**{"/etc/hosts": "x"})}, "is not there"),
        ({"metadata.jsonl": '{"file_name": 3}'}, "line 1: is no JSON object"),
        ({"metadata.jsonl": "[" * 100_000}, "line 1: is no JSON object"),
        ({"metadata.jsonl": '{"file_name": "a.png", "title": "\\ud83d"}'}, "half a character"),
        ({"metadata.jsonl": '{"file_name": "notes.md"}', "notes.md": ""}, "is no image"),
        ({"metadata.json": "{}"}, "metadata.json: is not read; say what is in it"),
        ({"captions.json": "{}"}, "captions.json: is not read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(artist, files, told):
    for name, content in files.items():
        write(artist / name, content)
    with pytest.raises(PluginError, match=f"(?s){told}"):
        titles(artist)


def test_artists_and_works_have_one_name_on_every_system(tmp_path):
    for at in range(3):
        folder = tmp_path / SPLIT
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / f"{SPLIT}{at}.png")
        write(folder / f"{SPLIT}{at}.txt", f"title {at}")
    write(folder / "metadata.csv", f"file_name,movement\n{COMPOSED}0.png,cubism\n")
    artists = ArtworkFolder(tmp_path, 2, 8, "nobody/nothing")
    assert artists.names() == (COMPOSED,)
    assert artists.style_of(COMPOSED) == "cubism"
    names = artists.subject(COMPOSED).works.names
    assert all(name.startswith(COMPOSED) for name in names)


@pytest.mark.parametrize("name", ["Thumbs.db", "._a.png", ".a.png.swp", "desktop.ini", "~$a.png"])
def test_what_systems_leave_behind_is_no_image(artist, name):
    before = image_files(artist)
    (artist / name).write_bytes(b"junk")
    assert image_files(artist) == before


def test_an_image_of_a_kind_that_is_not_read_is_named(artist):
    (artist / "c.heic").write_bytes(b"ftypheic")
    with pytest.raises(PluginError, match=r"c\.heic: is of a kind that is not read; convert"):
        image_files(artist)
