"""Models by name: folders, hub ids, revisions."""

import huggingface_hub
import pytest

from impress_bench.benchmark.models.digest import source_digest
from impress_bench.benchmark.models.hub import HubId, commit_of, is_source, local_folder

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The folder of an empty cache, without a network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "name", "revision"),
    [("org/model", "org/model", None), ("org/model@5ede9e4", "org/model", "5ede9e4")],
)
def test_a_hub_id_may_name_a_revision(source, name, revision):
    assert HubId.parse(source) == HubId(name, revision)


def test_a_slash_tells_a_source_from_a_name():
    assert is_source("./model")
    assert not is_source("atelier")


def test_a_folder_is_taken_as_it_is(tmp_path):
    assert local_folder(str(tmp_path), ["*.safetensors"]) == tmp_path


def test_a_commit_is_what_is_asked_of_the_hub(monkeypatch, tmp_path):
    asked = {}

    def snapshot_download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    local_folder(f"org/model@{COMMIT}", ["*.json"])
    assert asked == {"name": "org/model", "revision": COMMIT, "allow_patterns": ["*.json"]}


@pytest.mark.parametrize("source", ["org/model", "org/model@main", f"org/model@{COMMIT[:39]}"])
def test_what_may_be_another_model_tomorrow_is_not_fetched(hub, source):
    with pytest.raises(OSError, match=r"hf download org/model.*; or name a commit: org/model@"):
        local_folder(source, ["*.json"])
    with pytest.raises(OSError, match="is not on this machine"):
        source_digest(source)


def test_what_was_fetched_is_taken_as_it_is(hub):
    folder = hub / "models--org--model" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (hub / "models--org--model" / "refs").mkdir()
    (hub / "models--org--model" / "refs" / "main").write_text(COMMIT)
    assert local_folder("org/model", ["*.json"]) == folder
    assert source_digest("org/model").startswith(f"hub:org/model@{COMMIT} ")


def test_a_commit_is_the_same_before_and_after_it_is_fetched(hub):
    assert commit_of(f"org/model@{COMMIT}") == COMMIT
    assert commit_of("org/model") is None
    assert commit_of("data/photos/of/mine") is None
