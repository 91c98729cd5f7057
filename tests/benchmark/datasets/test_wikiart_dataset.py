"""WikiArt as a data set of `datasets` gives what the same works in a tree give."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pytest
from click.testing import CliRunner
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from datasets import Image as ImageFeature
from PIL import Image

from impress_bench.benchmark.commands.datasets import wikiart
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets import wikiart_dataset
from impress_bench.benchmark.datasets.wikiart import candidates
from impress_bench.benchmark.datasets.wikiart_dataset import in_dataset

#: Artist, style and how many works: twenty, of which two artists have six and one has four.
HANGING = (
    ("anna", "Cubism", 6), ("anna", "Baroque", 1), ("bob-von-c", "Art_Nouveau_Modern", 6),
    ("dora", "Realism", 4), ("emil", "Realism", 3),
)  # fmt: skip
SHORT = {"Art_Nouveau_Modern": "Art_Nouveau"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def tree(tmp_path):
    generator = np.random.default_rng(0)
    for artist, style, count in HANGING:
        folder = tmp_path / "tree" / style / artist
        folder.mkdir(parents=True)
        for at in range(count):
            pixels = generator.integers(0, 256, (20 + at, 30, 3), dtype=np.uint8)
            suffix = ("jpg", "png", "webp")[at % 3]
            Image.fromarray(pixels).save(folder / f"{style}-work-{at}.{suffix}")
    return tmp_path / "tree"


def rows(tree):
    """The works of a tree, in no order that means anything."""
    paths = [path for path in tree.rglob("*") if path.is_file()]
    return sorted(paths, key=lambda path: path.read_bytes())


def with_strings(tree, folder):
    """By `save_to_disk`, in two splits."""
    features = Features(image=ImageFeature(), artist=Value("string"), style=Value("string"))
    columns = {
        "image": [str(path) for path in rows(tree)],
        "artist": [path.parent.name for path in rows(tree)],
        "style": [path.parent.parent.name for path in rows(tree)],
    }
    whole = Dataset.from_dict(columns, features=features)
    splits = {"train": whole.select(range(12)), "test": whole.select(range(12, 20))}
    DatasetDict(splits).save_to_disk(folder)


def with_classes(tree, folder, named=True):
    """In two parquet files below the folder, as huggan/wikiart; a 21st work by nobody known."""
    paths = rows(tree)
    artists = ["Unknown Artist", *sorted({path.parent.name for path in paths})]
    styles = [SHORT.get(name, name) for name in sorted({p.parent.parent.name for p in paths})]
    features = Features(
        image=ImageFeature(), artist=ClassLabel(names=artists),
        genre=ClassLabel(names=["portrait"]), style=ClassLabel(names=styles),
    )  # fmt: skip
    found = [
        {
            "image": {"bytes": path.read_bytes(), "path": path.name if named else None},
            "artist": path.parent.name,
            "genre": "portrait",
            "style": SHORT.get(path.parent.parent.name, path.parent.parent.name),
        }
        for path in paths
    ]
    found.append({**found[0], "artist": "Unknown Artist"})
    (folder / "data").mkdir(parents=True)
    for part, entries in enumerate((found[:9], found[9:])):
        shard = Dataset.from_list(entries, features=features)
        shard.to_parquet(folder / "data" / f"train-{part:05d}-of-00002.parquet")


def prepared(source, target, captioner, clip):
    options = ["--artists", "2", "--works", "4", "--recognised", "0"]
    options += ["--captioner", captioner, "--clip", str(clip)]
    done = CliRunner().invoke(wikiart, [str(source), str(target), *options])
    assert done.exit_code == 0, done.output
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("write", [with_strings, with_classes])
def test_what_is_prepared_is_what_the_tree_gives(
    tree, tmp_path, captioner, open_clip_folder, write
):
    write(tree, tmp_path / "dataset")
    expected = prepared(tree, tmp_path / "a", captioner, open_clip_folder)
    assert prepared(tmp_path / "dataset", tmp_path / "b", captioner, open_clip_folder) == expected
    images = [name for name in expected if not name.endswith("jsonl")]
    assert len(images) == len({expected[name] for name in images}) == 12
    assert {name.rpartition("/")[0] for name in expected} == {
        "artists/anna", "artists/bob-von-c", "validation/dora"
    }  # fmt: skip


def test_works_without_file_names_are_named_by_row(tree, tmp_path):
    with_classes(tree, tmp_path / "dataset", named=False)
    works = [
        work
        for own in in_dataset(tmp_path / "dataset").values()
        for genre in own.values()
        for work in genre
    ]
    expected = {
        f"row-{at:06d}{path.suffix}": path.read_bytes() for at, path in enumerate(rows(tree))
    }
    assert {work.name: work.data() for work in works} == expected


def test_no_image_is_read_before_it_is_chosen(tree, tmp_path, monkeypatch):
    with_classes(tree, tmp_path / "dataset")

    def read(self):
        raise AssertionError("read too early")

    monkeypatch.setattr(wikiart_dataset.RowWork, "data", read)
    found = candidates(tmp_path / "dataset", 4)
    assert [(one.artist, one.genre, one.total) for one in found] == [
        ("anna", "Cubism", 6), ("bob-von-c", "Art_Nouveau_Modern", 6), ("dora", "Realism", 4)
    ]  # fmt: skip


def jpeg():
    held = BytesIO()
    Image.new("RGB", (9, 9)).save(held, "jpeg")
    return {"bytes": held.getvalue(), "path": None}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"image": jpeg(), "artist": "a"}, "has no column style; it has: image, artist"),
        ({"image": jpeg(), "artist": 3, "style": "b"}, "has no names in its column artist"),
        ({"image": jpeg(), "artist": "../a", "style": "b"}, "'../a' in row 0 can name no folder"),
        ({"image": 7, "artist": "a", "style": "b"}, "cannot be loaded as a data set"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, entry, told):
    Dataset.from_list([entry]).save_to_disk(tmp_path / "dataset")
    with pytest.raises(PluginError, match=told):
        candidates(tmp_path / "dataset", 1)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"bytes": None, "path": "/etc/passwd"}, "only a path or nothing"),
        ({"bytes": b"no image", "path": None}, "is no image that Pillow can read"),
    ],
)
def test_a_row_without_an_image_is_named(tmp_path, image, told):
    entry = {"image": image, "artist": "a", "style": "b"}
    (tmp_path / "dataset").mkdir()
    Dataset.from_list([entry]).to_parquet(tmp_path / "dataset" / "a.parquet")
    ((work,),) = (one.works for one in candidates(tmp_path / "dataset", 1))
    with pytest.raises(PluginError, match=rf"^row 0 of WikiArt: .*{told}"):
        _ = (work.data(), work.name)


@pytest.mark.parametrize("feature", [Value("string"), ClassLabel(names=["a", "b"])])
@pytest.mark.parametrize("lacking", [{"artist": None}, {"style": None}])
def test_rows_that_lack_an_artist_or_a_style_are_left_out(tmp_path, feature, lacking):
    features = Features(image=ImageFeature(), artist=feature, style=feature)
    entry = {"image": jpeg(), "artist": "a", "style": "b"}
    rows = Dataset.from_list([entry, {**entry, **lacking}], features=features)
    rows.save_to_disk(tmp_path / "dataset")
    assert [one.total for one in candidates(tmp_path / "dataset", 1)] == [1]


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(PluginError, match="cannot be loaded as a data set"):
        candidates(tmp_path, 1)


def test_what_the_hub_has_is_to_be_fetched_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    get = "hf download huggan/wikiart --repo-type dataset --local-dir wikiart"
    with pytest.raises(PluginError, match=get):
        candidates(Path("huggan/wikiart"), 1)


def test_without_datasets_the_way_out_is_named(tree, tmp_path, monkeypatch):
    with_classes(tree, tmp_path / "dataset")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(PluginError, match=r"pip install 'impress-bench\[wikiart\]'"):
        candidates(tmp_path / "dataset", 4)
    assert candidates(tree, 4)
