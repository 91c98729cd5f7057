"""A limit of memory that the kernel holds: where it can be had, and that it is had there."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.sandbox import confine, memory_group
from impress_bench.benchmark.sandbox.confine import (
    Walls,
    missing_walls,
    run_confined,
    scratch_folder,
)

walled = pytest.mark.skipif(bool(missing_walls()), reason="this system confines nothing")
BOTH = pytest.mark.parametrize("walls", [None, pytest.param(Walls(), marks=walled)])
PLACE = memory_group.find_place()
kernel_holds = pytest.mark.skipif(
    PLACE is None, reason="no cgroup v2 with limits of memory that this user may write"
)
GROUPS = "4:memory:/old\n0::/user.slice/app.scope\n"
MOUNTS = (
    "30 1 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "31 30 0:27 / {} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
)


@pytest.mark.parametrize(
    ("groups", "mounts", "expected"),
    [
        (GROUPS, MOUNTS.format("/a"), ("/a", "user.slice/app.scope")),
        ("0::/\n", MOUNTS.format("/a"), ("/a", ".")),  # in a namespace of its own
        (GROUPS, "31 30 0:27 /user.slice /b rw - cgroup2 x rw\n", ("/b", "app.scope")),
        (GROUPS, "31 30 0:27 /other.slice /b rw - cgroup2 x rw\n", None),
        ("0::/../away\n", MOUNTS.format("/a"), None),
        ("4:memory:/old\n", MOUNTS.format("/a"), None),  # version 1 alone
        (GROUPS, "30 1 0:26 / /sys/fs/cgroup rw - cgroup cgroup rw,memory\n", None),
    ],
)
def test_the_own_group_is_read_from_what_the_system_says(groups, mounts, expected):
    told = memory_group.own_group(groups, mounts)
    assert told == (expected and tuple(map(Path, expected)))


@pytest.fixture
def tree(tmp_path):
    """A made-up tree of groups: the slice has its groups' memory limited, the scope has not."""
    mounted = tmp_path / "cgroup"
    for inner, given in (("", "cpu memory"), ("user.slice", "memory pids"), ("app.scope", "")):
        folder = mounted / ("user.slice" if inner == "app.scope" else "") / inner
        folder.mkdir()
        (folder / "cgroup.subtree_control").write_text(f"{given}\n")
        (folder / "cgroup.procs").write_text("")
    (tmp_path / "groups").write_text(GROUPS)
    (tmp_path / "mounts").write_text(MOUNTS.format(mounted))
    return mounted


def place(tree):
    return memory_group.find_place(tree.parent / "mounts", tree.parent / "groups")


def test_the_closest_folder_that_will_do_is_taken(tree):
    assert place(tree) == tree / "user.slice"
    (tree / "user.slice" / "cgroup.subtree_control").write_text("cpu pids\n")
    assert place(tree) == tree
    (tree / "cgroup.subtree_control").write_text("cpu memory_recursiveprot\n")
    assert place(tree) is None


@pytest.mark.parametrize("closed", ["user.slice", "user.slice/cgroup.procs"])
def test_what_may_not_be_written_will_not_do(tree, monkeypatch, closed):
    """Root may write everything, so that the answer is put into the system's mouth."""
    there = memory_group.os.access
    monkeypatch.setattr(
        memory_group.os, "access", lambda path, how: path != tree / closed and there(path, how)
    )
    assert place(tree) == tree


def test_there_is_no_place_where_there_is_no_such_system(tmp_path):
    assert memory_group.find_place(tmp_path / "none", tmp_path / "none") is None


def born_with(monkeypatch, *names):
    """New folders have files, as those that a kernel makes have."""
    make = memory_group.tempfile.mkdtemp

    def made(**more):
        group = Path(make(**more))
        for name in names:
            (group / name).write_text("max")
        return str(group)

    monkeypatch.setattr(memory_group.tempfile, "mkdtemp", made)


def test_a_group_gets_its_limits(tree, monkeypatch):
    born_with(monkeypatch, "memory.max", "memory.swap.max", "memory.oom.group")
    group = memory_group.make_group(tree, 2**28)
    told = {path.name: path.read_text().removesuffix("ax") for path in group.iterdir()}
    assert told == {"memory.max": str(2**28), "memory.swap.max": "0", "memory.oom.group": "1"}


def test_an_older_kernel_has_less_to_set(tree, monkeypatch):
    born_with(monkeypatch, "memory.max")
    group = memory_group.make_group(tree, 2**28)
    assert [path.name for path in group.iterdir()] == ["memory.max"]


def test_without_a_limit_after_all_nothing_stays(tree):
    before = sorted(tree.iterdir())
    with memory_group.limited_group(2**28, tree) as group:
        assert group is None
    assert sorted(tree.iterdir()) == before
    with memory_group.limited_group(2**28, tree / "missing") as group:
        assert group is None


def test_no_limit_needs_no_group(tree, monkeypatch):
    born_with(monkeypatch, "memory.max")
    before = sorted(tree.iterdir())
    with memory_group.limited_group(None, tree) as group:
        assert group is None
    assert sorted(tree.iterdir()) == before


def test_a_group_is_ended_removed_and_not_waited_for_for_ever(tree):
    group = tree / "group"
    group.mkdir()
    memory_group.remove_group(group)
    assert not group.exists()
    memory_group.remove_group(group)
    group.mkdir()
    (group / "cgroup.kill").write_text("0")  # a file, so that the folder cannot go
    started = time.monotonic()
    memory_group.remove_group(group, patience_s=0.1)
    assert time.monotonic() - started < 2
    assert (group / "cgroup.kill").read_text() == "1"


@pytest.fixture
def group(tmp_path, monkeypatch):
    """What `run_confined` takes for a group of the kernel's."""
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / "cgroup.procs").write_text("")
    (folder / "memory.events").write_text("low 0\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n")
    limits = []

    @contextmanager
    def given(limit):
        limits.append(limit)
        yield folder

    monkeypatch.setattr(confine, "limited_group", given)
    yield folder
    assert limits == [2**29]


def go(code, walls, **more):
    with scratch_folder() as scratch:
        run_confined("plugin", [sys.executable, "-c", code], scratch, 20.0, 0.5, walls, **more)
        return (scratch / "printed").read_text()


@BOTH
def test_a_command_joins_its_group_and_cannot_reach_it(group, walls):
    """It enters itself before it begins, and what it starts is in there with it."""
    code = "import os; print(len(os.listdir('/proc/self/fd')))"
    assert go(code, walls) == "4\n"  # three, and the one that lists them
    assert (group / "cgroup.procs").read_text() == "0"


@BOTH
@pytest.mark.parametrize(
    "code", ["import os; os.kill(os.getpid(), 9)", "import time; time.sleep(60)", "print('x')"]
)
def test_the_kernel_names_the_cause(group, walls, code):
    """Whether it ended the command, or one of those that the command had started."""
    (group / "memory.events").write_text("oom 1\noom_kill 3\n")
    with pytest.raises(PluginError, match=r"held more than 0.5 GiB of memory"):
        go(code, walls)


@BOTH
def test_another_end_is_another_cause(group, walls):
    with pytest.raises(PluginError, match="died by signal 9"):
        go("import os; os.kill(os.getpid(), 9)", walls)


@BOTH
@pytest.mark.parametrize("lost", ["cgroup.procs", "memory.events"])
def test_a_group_that_is_lost_leaves_polling(group, walls, lost):
    (group / lost).unlink()
    assert go("print('x')", walls) == "x\n"


def own_folder():
    """This process's group, if the system has groups and this user may make some."""
    try:
        told = memory_group.own_group(memory_group.OWN.read_text(), memory_group.MOUNTS.read_text())
    except OSError:
        return None
    folder = told and told[0] / told[1]
    return folder if folder and memory_group.os.access(folder / "cgroup.procs", 2) else None


@pytest.fixture
def made(monkeypatch):
    """The real groups that are made."""
    groups, make = [], memory_group.make_group

    def noted(*words):
        groups.append(make(*words))
        return groups[-1]

    monkeypatch.setattr(memory_group, "make_group", noted)
    return groups


@pytest.mark.skipif(own_folder() is None, reason="no cgroup v2 that this user may write")
@BOTH
def test_real_groups_are_joined_and_removed(monkeypatch, made, walls):
    """With a limit of another kind, since few systems let a test have one of memory."""
    monkeypatch.setattr(memory_group, "LIMIT", "cgroup.max.descendants")
    monkeypatch.setattr(memory_group, "find_place", own_folder)
    code = (
        "import os\n"
        "os.fork() and os.wait()\n"
        "print(open('/proc/self/cgroup').read().splitlines()[-1])"
    )
    printed = go(code, walls)
    assert [Path(line).name for line in printed.splitlines()] == [made[0].name] * 2
    assert len(made) == 1
    assert not made[0].exists()


@pytest.mark.skipif(own_folder() is None, reason="no cgroup v2 that this user may write")
@BOTH
def test_no_group_outlives_whoever_asked(walls):
    """A parent that is killed removes nothing; the supervisor does."""
    sleep = "print(open('/proc/self/cgroup').read(), flush=True); import time; time.sleep(300)"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from impress_bench.benchmark.sandbox import memory_group\n"
        "from impress_bench.benchmark.sandbox.confine import *\n"
        "memory_group.LIMIT = 'cgroup.max.descendants'\n"
        f"memory_group.find_place = lambda: Path({str(own_folder())!r})\n"
        "with scratch_folder() as scratch:\n"
        "    print(scratch, flush=True)\n"
        f"    words = [sys.executable, '-c', {sleep!r}]\n"
        f"    run_confined('x', words, scratch, 300, 1.0, {walls and 'Walls()'})\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        printed = Path(asking.stdout.readline().strip()) / "printed"
        until(lambda: printed.exists() and "impress-bench-" in printed.read_text())
        group = own_folder() / Path(printed.read_text().split()[-1]).name
        assert group.exists()
    finally:
        asking.kill()
        asking.communicate()
    until(lambda: not group.exists())


def until(there):
    deadline = time.monotonic() + 30
    while not there() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert there()


@kernel_holds
@BOTH
@pytest.mark.parametrize("kind", ["shared", "nameless"])
def test_the_kernel_holds_the_limit(made, walls, kind):
    """However the memory is had."""
    hold = {
        "shared": "kept = mmap.mmap(-1, 2**30); hold = kept.write",
        "nameless": "kept = os.memfd_create('x'); hold = lambda data: os.write(kept, data)",
    }[kind]
    code = (
        f"import mmap, os, time\n{hold}\n"
        "for _ in range(40): hold(b'x' * 2**24)\n"
        "open('outgrew', 'w'); time.sleep(60)"
    )
    with scratch_folder() as scratch:
        with pytest.raises(PluginError, match=r"held more than 0.25 GiB of memory"):
            run_confined("plugin", [sys.executable, "-c", code], scratch, 20.0, 0.25, walls)
        assert not (scratch / "outgrew").exists()
    assert len(made) == 1
    assert not made[0].exists()


@kernel_holds
def test_the_kernel_needs_no_polling():
    code = (
        "import os, sys\n"
        "open(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n"
        "kept = os.memfd_create('x')\n"
        "for _ in range(40): os.write(kept, b'x' * 2**24)"
    )
    with memory_group.limited_group(2**28) as folder:
        done = subprocess.run([sys.executable, "-c", code, str(folder)])
        assert done.returncode == -9
        assert "oom_kill 1" in (folder / "memory.events").read_text()
    assert not folder.exists()
