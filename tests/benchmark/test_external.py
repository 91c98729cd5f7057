"""Other programs as plugins: what they are given, what they may not do to us."""

from __future__ import annotations

import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import pytest
import torch
from bombs import bomb
from contexts import context
from PIL import Image

from impress_bench.attacks.external import DirPurifier, ExecPurifier
from impress_bench.benchmark.contract import Context, PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.external import read_images
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec
from impress_bench.protections.base import OverBudget
from impress_bench.protections.external import DirProtection, ExecProtection

HEAD = "import sys, pathlib; a, b = map(pathlib.Path, sys.argv[1:3])\n"
PIXELS = "from PIL import Image; import numpy as np\n"
LIFT = (
    HEAD + PIXELS + "for p in sorted(a.glob('*.png')):\n"
    "    x = np.asarray(Image.open(p)).astype(int)\n"
    "    Image.fromarray((x + 3).clip(0, 255).astype('uint8')).save(b / p.name)\n"
)
PYTHON = sys.executable


def command(tmp_path: Path, code: str, extra: str = "") -> str:
    """A command line that runs `code` in another process."""
    script = tmp_path / "script.py"
    script.write_text(code)
    return f"{PYTHON} {script} {{in}} {{out}} {extra}".strip()


@pytest.fixture
def images(smooth_images):
    return smooth_images(2, 16)


def test_a_command_gets_and_gives_8_bit_images(tmp_path, images):
    protected = ExecProtection(command=command(tmp_path, LIFT))(images, context())
    expected = ((images * 255).round() + 3).clamp(max=255) / 255
    assert torch.allclose(protected.images, expected, atol=1e-6)
    purified = ExecPurifier(command=command(tmp_path, LIFT))(images, context()).images
    assert torch.equal(purified, protected.images)


def test_a_command_may_ask_for_masks(tmp_path, images):
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[:, :8] = True
    code = LIFT.replace("(x + 3)", "(x + 3 * (np.asarray(Image.open(m / p.name)) > 0)[..., None])")
    code = code.replace(HEAD, HEAD + "m = pathlib.Path(sys.argv[3])\n")
    protection = ExecProtection(command=command(tmp_path, code, "{masks}"))
    moved = protection(images, context(masks=masks)).images != images
    assert moved[:, :, :8].any()
    assert not moved[:, :, 8:].any()


def test_its_budget_is_checked_like_everybodys(tmp_path, images):
    with pytest.raises(OverBudget, match=r"linf 0\.01176 > 0\.003922"):
        ExecProtection(command=command(tmp_path, LIFT), linf=1 / 255)(images, context())


@pytest.mark.parametrize(
    ("code", "complaint", "state"),
    [
        (HEAD + "sys.exit('no paint left')", "ended with 1: no paint left", State.FAILED),
        (HEAD + "import os; os.kill(os.getpid(), 9)", "died by signal 9", State.FAILED),
        (HEAD + "import time; time.sleep(60)", "ran past 3 s", State.TIMEOUT),
        (HEAD, "000.png is no image", State.FAILED),
        (LIFT.replace("(x + 3)", "(x + 3)[:8]"), "is 8x16 and not 16x16", State.FAILED),
        (HEAD + "(b / '000.png').write_text('not a picture')", "is no image", State.FAILED),
        (HEAD + "print('ink' * 10**7); sys.exit(3)", "ended with 3: .*ink", State.FAILED),
    ],
)
def test_misbehaviour_is_told_and_ends(tmp_path, images, code, complaint, state):
    started = time.monotonic()
    with pytest.raises(PluginError, match=complaint) as caught:
        ExecPurifier(command=command(tmp_path, code), timeout=3)(images, context())
    assert caught.value.state is state
    assert time.monotonic() - started < 30


def test_memory_is_bounded(tmp_path, images):
    code = HEAD + "import time; time.sleep(1); x = bytearray(2**31)\n" + LIFT
    with pytest.raises(PluginError, match="MemoryError"):
        ExecPurifier(command=command(tmp_path, code), memory_gb=1)(images, context())


def test_what_a_command_leaves_running_ends_with_it(tmp_path, images):
    mark = tmp_path / "mark"
    child = f"import time; time.sleep(4); open({str(mark)!r}, 'w')"
    code = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {child!r}])\n" + LIFT
    ExecPurifier(command=command(tmp_path, code))(images, context())
    time.sleep(5)
    assert not mark.exists()


def test_a_command_that_is_not_there_is_named(images):
    with pytest.raises(PluginError, match="no-such-program cannot be run"):
        ExecPurifier(command="no-such-program {in} {out}")(images, context())
    with pytest.raises(ValueError, match=r"must name the folders \{in\} and \{out\}"):
        ExecPurifier(command="purify")


def test_it_needs_no_torch_where_it_runs(tmp_path, images):
    """A second environment that has neither torch nor anything else of ours."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    libraries = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "PIL", "pillow.libs"):
        if (libraries / name).exists():
            found = subprocess.run(
                [python, "-c", "import site; print(site.getsitepackages()[0])"],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            (Path(found.stdout.strip()) / name).symlink_to(libraries / name)
    code = "import importlib.util as u; assert not u.find_spec('torch')\n" + LIFT
    line = command(tmp_path, code).replace(PYTHON, str(python))
    assert (ExecPurifier(command=line)(images, context()).images >= images).all()


def test_a_picture_of_another_size_is_not_decoded(tmp_path):
    """Pillow's own limit is told with the size that was asked for."""
    (tmp_path / "a.png").write_bytes(bomb())
    like = torch.zeros(1, 3, 8, 9)
    with pytest.raises(PluginError, match=r"a\.png has more than Pillow's .* and is not 8x9"):
        read_images("dir:x", tmp_path, ["a"], like)
    Image.new("RGB", (4, 5)).save(tmp_path / "a.png")
    with pytest.raises(PluginError, match=r"a\.png is 5x4 and not 8x9"):
        read_images("dir:x", tmp_path, ["a"], like)


@pytest.mark.parametrize("plugin", [DirProtection, DirPurifier])
def test_a_folder_of_images_changed_elsewhere(tmp_path, images, plugin):
    folder = tmp_path / "ada"
    folder.mkdir()
    for name, image in zip(("one", "two"), images, strict=True):
        pixels = (255 * image.permute(1, 2, 0)).round().byte().numpy()
        Image.fromarray(pixels // 2).save(folder / f"{name}.png")
    changing = plugin(path=str(tmp_path))
    changing.receive_names("ada", ("one", "two"))
    changed = changing(images, context())
    assert torch.equal((changed.images * 255).round(), ((images * 255).round() / 2).floor())
    changing.receive_names("ben", ("one", "two"))
    with pytest.raises(PluginError, match=r"ben/one\.png is no image"):
        changing(images, context())


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("dir:/data/glazed", "path", "/data/glazed"),
        ('exec:"python a.py {in} {out}, twice"', "command", "python a.py {in} {out}, twice"),
        ("exec:cloak {in} {out}", "command", "cloak {in} {out}"),
    ],
)
def test_the_short_forms_are_specs(text, key, value):
    spec = parse_spec(text)
    assert dict(spec.parameters) == {key: value}
    assert parse_spec(str(spec)) == spec


def test_an_empty_short_form_is_refused():
    with pytest.raises(ConfigError, match="names nothing behind the colon"):
        parse_spec("dir:")


def test_the_command_s_files_are_part_of_its_identity(tmp_path):
    script = tmp_path / "script.py"
    identities = []
    for text in ("print(1)", "print(2)"):
        script.write_text(text)
        spec = parse_spec(f"exec:{PYTHON} {script} {{in}} {{out}}")
        identities.append(Registry().resolve("purifiers", spec).identity())
    assert identities[0] != identities[1]


def test_the_images_in_a_folder_are_part_of_its_identity(tmp_path):
    """Or a row would show what images scored that are no longer there."""
    identities = []
    for grey in (0, 1):
        Image.fromarray(np.full((2, 2, 3), grey, np.uint8)).save(tmp_path / "one.png")
        spec = parse_spec(f"dir:{tmp_path}")
        identities.append(Registry().resolve("protections", spec).identity())
    assert identities[0] != identities[1]


def test_a_folder_may_head_a_chain(tmp_path):
    """The chain passes on which images are asked for."""
    (tmp_path / "ada").mkdir()
    for grey, name in ((40, "one"), (80, "two")):
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / "ada" / f"{name}.png")
    chain = (
        Registry().resolve("purifiers", parse_spec(f"dir:{tmp_path}>bit-depth[bits=8]")).create()
    )
    chain.receive_names("ada", ["two", "one"])
    context = Context(generator=torch.Generator())
    levels = chain(torch.zeros(2, 3, 8, 8), context).images.amax((1, 2, 3)) * 255
    assert levels.round().tolist() == [80, 40]
