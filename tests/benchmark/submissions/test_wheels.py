"""Wheels are read before anybody installs them."""

import zipfile

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions import wheel as wheels
from impress_bench.benchmark.submissions.reading import read
from impress_bench.benchmark.submissions.wheel import read_wheel
from impress_bench.benchmark.submissions.writing import submit

PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}
INFO = "my_cloak-1.0.dist-info"
ENTRY = "[impress_bench.protections]\nmy-cloak = my_cloak:MyCloak\n"
HONEST = {
    "my_cloak/__init__.py": "class MyCloak: ...",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: my-cloak\nVersion: 1.0\n",
    f"{INFO}/entry_points.txt": ENTRY,
}


def wheel(tmp_path, name="my_cloak-1.0-py3-none-any.whl", **files):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**HONEST, **files}.items():
            if content is not None:
                archive.writestr(file, content)
    return path


def test_an_honest_wheel_is_taken(tmp_path):
    path = wheel(tmp_path, **{"my_cloak/weights.safetensors": "x", "my_cloak_more/__init__.py": ""})
    assert read_wheel(path, "protection", "my-cloak", "my.cloak", "1.0") == (
        "my-cloak",
        "1.0",
        sha256(path.read_bytes()),
    )


WRONG = {
    "the judge": ({"impress_bench/benchmark/submissions/rerun.py": ""}, "impress_bench is another"),
    "a library": ({"torch/__init__.py": ""}, "torch is another's: torch; rename the package"),
    "a module of a library": ({"numpy.py": ""}, "numpy.py is another's: numpy"),
    "an extension of Python": ({"json.cpython-311.so": ""}, "is another's: Python's"),
    "code that runs by itself": ({"evil.pth": "import os"}, "evil.pth is no module"),
    "a customised site": ({"sitecustomize.py": ""}, "sitecustomize.py is another's: run by itself"),
    "a scheme": ({"my_cloak-1.0.data/scripts/x": ""}, "is installed outside of the package"),
    "a way up": ({"my_cloak/../../x.py": ""}, "is no path within the package"),
    "an absolute path": ({"/etc/x": ""}, "is no path within the package"),
    "another's metadata": ({"torch-9.dist-info/METADATA": ""}, "it has 2 .dist-info folders"),
    "no metadata": ({f"{INFO}/METADATA": None}, f"it has no {INFO}/METADATA"),
    "another name": ({f"{INFO}/METADATA": "Name: yours\nVersion: 1.0\n"}, "distribution 'yours'"),
    "another version": (
        {f"{INFO}/METADATA": "Name: my-cloak\nVersion: 2.0\n"},
        "it holds my-cloak 2.0, not the version that ran, 1.0",
    ),
    "no plugin": ({f"{INFO}/entry_points.txt": None}, "it registers no protection 'my-cloak'"),
    "another kind": (
        {f"{INFO}/entry_points.txt": ENTRY.replace("protections", "purifiers")},
        "it registers no protection 'my-cloak'",
    ),
    "another's plugin": (
        {f"{INFO}/entry_points.txt": ENTRY.replace("my_cloak:", "torch:")},
        "my-cloak = torch:MyCloak is no module of this wheel",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_wheel_is_named(tmp_path, case):
    files, expected = WRONG[case]
    with pytest.raises(ConfigError) as refused:
        read_wheel(wheel(tmp_path, **files), "protection", "my-cloak", "my-cloak", "1.0")
    assert expected in str(refused.value)


def test_what_is_no_wheel_is_named(tmp_path):
    (tmp_path / "hostname").write_text("host")
    for path in (tmp_path / "hostname", tmp_path):
        with pytest.raises(ConfigError, match=r"--wheel: .*"):
            read_wheel(path, "protection", "my-cloak", "my-cloak", "1.0")
    with pytest.raises(ConfigError, match="Invalid wheel filename"):
        read_wheel(wheel(tmp_path, "x.whl"), "protection", "my-cloak", "my-cloak", "1.0")


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "my_cloak-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{INFO}/METADATA", b"\0" * (2**20 + 1))
    with pytest.raises(ConfigError, match="METADATA is larger than 1 MiB"):
        read_wheel(path, "protection", "my-cloak", "my-cloak", "1.0")


def test_a_wheel_is_pinned_by_its_digest(measured, tmp_path, third_parties):
    path = next(third_parties.parent.glob("sample_cloak-*.whl"))
    folder, _ = submit("sample-cloak", measured, tmp_path, wheel=path)
    distribution = read(folder).submission.distribution
    assert distribution.sha256 == sha256(path.read_bytes())
    assert distribution.version == "1.0"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "columns) % 2",
            "columns) % 3",
            r"is installed and ran: sample_cloak\.checkers; build",
        ),
        ("import torch", "import torch; (", r"sample_cloak\.checkers; build the wheel again"),
        ("import torch\n", "import torch\n\n# a note\n", ""),
        (None, "", r"sample_cloak\.checkers, which it lacks"),
    ],
)
def test_a_wheel_of_other_code_under_the_same_version_is_refused(
    measured, tmp_path, third_parties, old, new, told
):
    path = next(third_parties.parent.glob("sample_cloak-*.whl"))
    other = tmp_path / path.name
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            text = archive.read(name).decode()
            if name != "sample_cloak/checkers.py":
                changed.writestr(name, text)
            elif old is not None:
                assert old in text
                changed.writestr(name, text.replace(old, new))
    if told:
        with pytest.raises(ConfigError, match=told):
            submit("sample-cloak", measured, tmp_path / "into", wheel=other)
    else:
        assert submit("sample-cloak", measured, tmp_path / "into", wheel=other)


def test_another_packages_wheel_is_refused_before_anything_is_written(
    measured, tmp_path, third_parties
):
    other = next(third_parties.parent.glob("hostile_cloak-*.whl"))
    with pytest.raises(ConfigError, match=r"registers no protection 'sample-cloak'"):
        submit("sample-cloak", measured, tmp_path / "into", wheel=other)
    assert not (tmp_path / "into").exists()


def test_a_wheel_is_held_against_the_digest_that_is_pinned(
    measured, tmp_path, third_parties, in_process
):
    path = next(third_parties.parent.glob("sample_cloak-*.whl"))
    folder, _ = submit("sample-cloak", measured, tmp_path / "into", wheel=path)
    pinned = sha256(path.read_bytes())
    assert in_process("check-wheel", folder, path)[:2] == (0, f"sample-cloak 1.0 sha256:{pinned}\n")
    other = tmp_path / path.name
    other.write_bytes(path.read_bytes())
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("sample_cloak/more.py", "")
    code, output, complaint = in_process("check-wheel", folder, other)
    assert (code, output) == (2, "")
    assert f"has the SHA-256 {sha256(other.read_bytes())}, not the one that" in complaint
    assert f"pins, {pinned}" in complaint
    source, _ = submit("sample-cloak", measured, tmp_path / "source", **PIN)
    assert (
        in_process("check-wheel", source, other)[0] == 0
    )  # what a repository builds has no digest


def test_what_is_installed_is_read_once(tmp_path, monkeypatch):
    """It takes a second per reading, of everything in the environment."""
    read_times, there = [], wheels.packages_distributions
    monkeypatch.setattr(
        wheels, "packages_distributions", lambda: read_times.append(None) or there()
    )
    wheels._taken.cache_clear()
    assert wheels._taken()["torch"] == "torch"
    assert len(read_times) == 1
