"""Models by name: folders, hub ids, revisions."""

import pytest

from impress_bench.benchmark.models.hub import HubId, is_source, local_folder


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


def test_a_revision_is_what_is_asked_of_the_hub(monkeypatch, tmp_path):
    asked = {}

    def snapshot_download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    local_folder("org/model@5ede9e4", ["*.json"])
    assert asked == {"name": "org/model", "revision": "5ede9e4", "allow_patterns": ["*.json"]}
