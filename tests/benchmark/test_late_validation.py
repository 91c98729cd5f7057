"""What is wrong with a request is told when it is planned, and not after hours."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import pytest
from PIL import Image

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.artworks import ArtworkFolder
from impress_bench.benchmark.harness.plugins.parameters import bind_parameters
from impress_bench.benchmark.sandbox.confine import run_confined

PRESET = """
extends = "quick"
tasks = ["style-mimicry", "malicious-editing"]
protections = ["identity"]
purifiers = ["none"]
matrix = []
"""


@pytest.fixture
def command(tmp_path, monkeypatch, in_process):
    """The command line in this process, in a folder and with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPRESS_BENCH_STORE", str(tmp_path / "store"))
    return in_process


@pytest.fixture
def plan(tmp_path, command):
    """Plans a preset with some lines more."""

    def planned(lines="", *arguments, encoding="utf-8"):
        (tmp_path / "mine.toml").write_bytes((PRESET + lines).encode(encoding))
        return command("plan", "--preset", "mine.toml", "--probe", "0", *arguments)

    return planned


def settings(task, **values):
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    return f"\n[settings.tasks.{task}]\n{lines}"


TARGET = '\n[models]\ntarget = "{}"\n'
WRONG = {
    "editing at 32 pixels": (settings("malicious-editing", resolution=32), "greater than or equal"),
    "editing at 50 pixels": (settings("malicious-editing", resolution=50), "multiple of 8"),
    "mimicry at 50 pixels": (settings("style-mimicry", resolution=50), "multiple of 8"),
    "another place": (settings("style-mimicry", prompt="{name} by {artist}"), "may hold {title}"),
    "a nameless place": (settings("style-mimicry", prompt="{}"), "asks for {}"),
    "an open brace": (settings("style-mimicry", prompt="{title"), "is no template"),
    "part of a name": (settings("malicious-editing", prompt="{sitter.__class__}"), "asks for {s"),
    "a form": (settings("malicious-editing", prompt="{place:999999999}"), "asks for {place:9"),
    "a judge's prompt": (
        "\n[settings.tasks.style-mimicry.judging]\ndiffusion_prompt = '{style}'\n", "may hold {}"
    ),
    "a judge's template": (
        "\n[settings.tasks.style-mimicry.judging]\ntemplates = ['{} {}', '{1}']\n", "asks for {1}"
    ),
    "a mistyped target": (TARGET.format("./nowhere"), "nothing of that name"),
    "a mistyped hub id": (TARGET.format("stabilty/sd"), "hf download stabilty/sd"),
    "a folder's name": (TARGET.format("base"), "write ./base"),
    "tiles of 50 pixels": ('\n[settings.purifiers.gridpure]\ntile = 50\n', ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_plan_refuses_what_a_run_would_fail_on(plan, tmp_path, name):
    (tmp_path / "base").mkdir()
    lines, told = WRONG[name]
    more = ("--purifiers", "gridpure") if "tiles" in name else ()
    code, _, complaint = plan(lines, *more)
    assert code == 2
    assert (told or "tile must be a multiple of 8, not 50") in complaint
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    ("flag", "spec", "told"),
    [
        ("--purifiers", "gridpure[tile=50]", "tile must be a multiple of 8"),
        ("--purifiers", "jpeg>gridpure[tile=50]", "tile must be a multiple of 8"),
        ("--purifiers", "jpeg[quality=500]", "quality"),
        ("--protections", "glaze[p=-1]", "p must be at least 0"),
        ("--protections", "glaze[p=16]", "a budget of LPIPS 16 bounds nothing"),
        ("--protections", "glaze[linf=abc]", "linf of protection 'glaze' must be float or none"),
        ("--protections", "glaze[p=1e999]", "beyond all numbers"),
        ("--seeds", "²", "no list of whole numbers"),
        ("--seeds", "1" * 5000, "no list of whole numbers"),
    ],
)
def test_values_that_a_plugin_does_not_take(plan, flag, spec, told):
    code, _, complaint = plan("", flag, spec)
    assert code == 2
    assert told in complaint


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("random-noise[match=glazze]", "random-noise[match=glazze]: Unknown protection 'glazze'"),
        ("random-noise[match=glaze[q=1]]", "random-noise[match=glaze[q=1]]: Unknown parameter"),
        (
            "random-noise[match=random-noise[match=glazze]]",
            "random-noise[match=random-noise[match=glazze]]: Unknown protection 'glazze'",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_name_within_a_parameter_is_read_at_once(command, verb, spec, told):
    """It was a failed row, which `plan` left out and `run` told of at the end."""
    words = ("--preset", "quick", "--protections", f"identity,{spec}", "--purifiers", "none")
    code, output, complaint = command(verb, *words)
    assert (code, output) == (2, "")
    assert f"--protections: {told}" in complaint
    assert complaint.count("--protections:") == 1


def test_what_is_right_is_planned(plan):
    lines = settings("style-mimicry", prompt="{{{title}}} by {artist}", resolution=64)
    code, told, _ = plan(lines, "--protections", "glaze[linf=none]", "--purifiers", "gridpure")
    assert code == 0, told


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8-sig", ""),
        ("utf-16", "mine.toml: is UTF-16; save it as UTF-8"),
        ("cp1252", "mine.toml: is not UTF-8"),
    ],
)
def test_presets_are_utf_8(plan, encoding, told):
    code, _, complaint = plan('\ntitle = "é"\n'.replace("\n", "\r\n"), encoding=encoding)
    assert code == (2 if told else 0), complaint
    assert told in complaint


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("KEY = 1", "Unknown key 'a\\n::error::b'"),
        ("[models]\nKEY = 1", "Unknown key in models: 'a\\n::error::b'"),
        ("[settings.KEY]\nx = 1", "Unknown key in settings: 'a\\n::error::b'"),
        ("[settings.tasks.KEY]\nx = 1", "Unknown name in settings.tasks: 'a\\n::error::b'"),
        (
            "[settings.tasks.style-mimicry]\nKEY = 1",
            "Unknown setting of task 'style-mimicry': 'a\\n::error::b'",
        ),
        ("[settings.within.KEY]\ny = 1", "Unknown key in settings.within.a\\n::error::b: 'y'"),
        (
            "[settings.within.KEY.purifiers.x]\ny = 1",
            "Unknown name in settings.within: 'a\\n::error::b'",
        ),
        (
            "[settings.purifiers.gridpure]\nKEY = 1",
            "Unknown parameter of purifier 'gridpure': 'a\\n::error::b'",
        ),
    ],
)
def test_a_line_break_in_a_key_is_escaped(plan, lines, told):
    """What begins a line with `::` is a command to the systems that run checks."""
    lines = "\n" + lines.replace("KEY", '"a\\n::error::b"')
    code, output, complaint = plan(lines, "--purifiers", "gridpure")
    assert code == 2
    assert told in complaint
    assert output == ""
    assert complaint.count("\n") == 1


def optional(*, linf: float | None = 0.1, budget: float | None = None, net: str | None = None):
    pass


@pytest.mark.parametrize("nothing", ["none", "None", "null"])
def test_a_value_that_a_preset_sets_can_be_unset(nothing):
    bound = bind_parameters("protection", "p", optional, {"budget": nothing, "net": nothing})
    assert bound == {"linf": 0.1, "budget": None, "net": None}
    assert bind_parameters("protection", "p", optional, {"budget": 1})["budget"] == 1.0


@pytest.mark.parametrize("name", ["Mill, Ada | jr", "[x", "2024", "a 'b', c"])
def test_subjects_with_any_name_can_be_chosen(plan, artworks, tmp_path, name):
    (artworks / "ada-mill").rename(artworks / name)
    assert name in ArtworkFolder(artworks, 4, 32, "nobody/nothing").names()
    lines = settings("style-mimicry", works=4)
    more = ("--tasks", "style-mimicry", "--artworks", artworks, "--subjects", f'"{name}"')
    code, told, complaint = plan(lines, *more)
    assert code == 0, complaint
    assert "4 cells" in told
    code, _, complaint = plan(lines, *more[:-1], f'"{name} II"')
    assert code == 2
    assert "Unknown subject" in complaint


def test_a_purifier_that_does_not_apply_says_why(command, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "in" / "a.png")
    code, _, complaint = command("purify", "in", "out", "--purifier", "noisy-upscaling")
    assert code == 1
    assert "needs an upscaler: noisy-upscaling[upscaler=FOLDER]" in complaint
    monkeypatch.delattr(cv2, "ximgproc")
    code, _, complaint = command("purify", "in", "out", "--purifier", "adverse-cleaner")
    assert code == 1
    assert "pip install 'impress-bench[opencv]'" in complaint


WRITES = "import os, time; time.sleep(0.5); f = os.open('f', 65); os.write(f, bytes(2 * 10**6)); "
PRINTS = "sleep 0.5; exec head -c 2000000 /dev/zero"


@pytest.mark.parametrize(
    "words", [[sys.executable, "-c", WRITES + "os.write(f, b'x')"], ["sh", "-c", PRINTS]]
)
def test_what_a_command_writes_is_bounded_and_the_bound_said(tmp_path, monkeypatch, words):
    """The bound is set once the command runs, so that it waits a little."""
    monkeypatch.chdir(tmp_path)
    run_confined("exec:x", words, tmp_path, 60, None, output_gb=0.01)
    with pytest.raises(
        PluginError, match=r"may have 0\.001 GiB; exec's parameter output_gb raises"
    ):
        run_confined("exec:x", words, tmp_path, 60, None, output_gb=0.001)


def test_windows_is_told_where_it_runs():
    code = "import sys; sys.platform = 'win32'; import impress_bench.benchmark.cli"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith("impress-bench runs on Linux and macOS; on Windows, run it in")
    assert done.stderr.count("\n") == 1
