"""Commands that nobody has read: what they see, what they may change, and that they end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.sandbox.confine import (
    Walls,
    missing_walls,
    run_confined,
    scratch_folder,
)

WALLS = missing_walls()
walled = pytest.mark.skipif(bool(WALLS), reason=f"this system does not allow it: {WALLS}")


def go(code, walls=None, seconds=20.0, memory_gb=1.0, **more):
    """What a program prints, and how it ended."""
    with scratch_folder() as scratch:
        words = [sys.executable, "-c", code]
        ending = run_confined("plugin", words, scratch, seconds, memory_gb, walls, **more)
        return (scratch / "printed").read_text(), ending


def refused(code, expected, walls=None, state=State.FAILED, **more):
    with pytest.raises(PluginError, match=expected) as caught:
        go(code, walls, **more)
    assert caught.value.state is state


def running(mark):
    """How many processes have a word in their command line."""
    told = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout
    return sum(mark in line for line in told.splitlines())


BOTH = pytest.mark.parametrize("walls", [None, pytest.param(Walls(), marks=walled)])


@BOTH
def test_an_honest_command_works_in_its_folder(walls):
    printed, ending = go("open('mine', 'w').write('x'); print(open('mine').read())", walls)
    assert printed == "x\n"
    assert ending.code == 0
    assert ending.missing == []
    assert ending.peak_bytes > 2**20


@BOTH
def test_a_command_ends_at_its_limits(walls):
    started = time.monotonic()
    refused("while True: pass", "ran past 1 s", walls, State.TIMEOUT, seconds=1.0)
    refused("x = bytearray(2**31)", "MemoryError", walls)
    assert time.monotonic() - started < 15


@BOTH
def test_memory_counts_in_all_processes_together(walls):
    """Each child has too little of its own to be noticed."""
    code = (
        "import mmap, os, time\n"
        "shared = mmap.mmap(-1, 2**29)\n"
        "for at in range(0, len(shared), 2**25):\n"
        "    if os.fork() == 0:\n"
        "        shared[at:at + 2**25] = b'x' * 2**25; time.sleep(60)\n"
        "time.sleep(60)"
    )
    refused(code, "held more than 0.25 GiB of memory", walls, memory_gb=0.25)


@BOTH
def test_memory_counts_that_nobody_has_mapped(walls):
    code = (
        "import os, time\n"
        "handle = os.memfd_create('x')\n"
        "for at in range(32): os.write(handle, b'x' * 2**24)\n"
        "time.sleep(60)"
    )
    refused(code, "held more than 0.25 GiB of memory", walls, memory_gb=0.25)


@BOTH
def test_what_is_shared_counts_once(walls):
    """Forked processes that change nothing hold nothing more."""
    code = (
        "import os, time\n"
        "kept = b'x' * 2**27\n"
        "children = [os.fork() for _ in range(3)]\n"
        "time.sleep(1)"
    )
    _, ending = go(code, walls, memory_gb=0.5)
    assert 2**27 < ending.peak_bytes < 2**28


@BOTH
def test_nothing_outlives_a_command(walls):
    """Out of the session, out of the family: it ends all the same."""
    mark = f"sleeper{os.getpid()}"
    child = f"import time; time.sleep(300) # {mark}"
    code = (
        "import os, subprocess, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
        "    os._exit(0)\n"
        "import time; time.sleep(1)"
    )
    go(code, walls)
    assert running(mark) == 0


@BOTH
def test_nothing_outlives_whoever_asked(walls, tmp_path):
    """However that one ends, and whatever lock of its interpreter the command holds."""
    mark = f"orphan{os.getpid()}"
    spin = f"import re; re.match('(a|a)*$', 'a' * 40 + 'b') # {mark}"
    given = "None" if walls is None else "Walls()"
    code = (
        "import sys\n"
        "from impress_bench.benchmark.sandbox.confine import *\n"
        "with scratch_folder() as scratch:\n"
        f"    run_confined('x', [sys.executable, '-c', {spin!r}], scratch, 300, None, {given})\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    deadline = time.monotonic() + 30
    while running(f"# {mark}") < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    asking.kill()
    asking.wait()
    deadline = time.monotonic() + 10
    while running(f"# {mark}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(f"# {mark}") == 0


def test_whoever_kills_its_supervisor_has_failed():
    code = "import os, signal; os.kill(os.getppid(), signal.SIGKILL); import time; time.sleep(60)"
    refused(code, "ended the process that watches over it")


@walled
def test_whoever_would_kill_others_names_nobody():
    code = (
        "import os, signal\n"
        "print(os.getppid(), len([name for name in os.listdir('/proc') if name.isdigit()]))\n"
        "for one in (1, os.getppid()):\n"
        "    try: os.kill(one, signal.SIGKILL)\n"
        "    except OSError: pass\n"
        "print('alive')"
    )
    printed, _ = go(code, Walls())
    assert printed == "1 2\nalive\n"


@walled
def test_there_is_no_network_unless_one_is_given():
    code = "import os; print(sorted(os.listdir('/sys/class/net')), open('/proc/net/dev').read())"
    printed, _ = go(code, Walls())
    assert printed.count(":") == 1
    shared, _ = go("import os; print(os.readlink('/proc/self/ns/net'))", Walls(network=True))
    assert shared.strip() == os.readlink("/proc/self/ns/net")


@walled
def test_secrets_are_not_handed_on(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    code = (
        "import os\n"
        "found = [name for name in os.environ if 'TOKEN' in name]\n"
        "for process in filter(str.isdigit, os.listdir('/proc')):\n"
        "    try: data = open(f'/proc/{process}/environ', 'rb').read()\n"
        "    except OSError: continue\n"
        "    found += [process] * (b'TOKEN' in data)\n"
        "print(found, os.environ['GIVEN'], sorted(map(int, os.listdir('/proc/self/fd')))[:3])"
    )
    printed, _ = go(code, Walls(), environment={"GIVEN": "x"})
    assert printed == "[] x [0, 1, 2]\n"


@walled
def test_files_are_read_only_and_some_are_not_there(tmp_path):
    """Neither a new mount nor a new namespace brings back what is hidden."""
    store, shown, open_to = (tmp_path / name for name in ("store", "store/shown", "open"))
    for folder in (store, shown, open_to):
        folder.mkdir()
        (folder / "file").write_text("x")
    walls = Walls(hidden=(store,), shown=(shown,), writable=(open_to,))
    code = f"""
import ctypes, os
from pathlib import Path
store, shown, open_to = map(Path, {[str(store), str(shown), str(open_to)]!r})
library = ctypes.CDLL(None, use_errno=True)
def tried(path):
    try: path.write_text("y")
    except OSError: return False
    return True
for attempt in range(2):
    print([one.name for one in store.iterdir()], (shown / "file").read_text(),
          [tried(one / "new") for one in (store, shown, open_to, Path("/usr"), Path.cwd())])
    library.umount2(str(store).encode(), 2)
    library.mount(None, b"/", None, 32 | 4096, None)
    print(library.unshare(0x00020000))
    library.unshare(0x10000000 | 0x00020000)
    library.umount2(str(store).encode(), 2)
    library.mount(None, b"/", None, 32 | 4096, None)
"""
    printed, _ = go(code, walls)
    # In a user namespace of its own it may have rights, and what is hidden stays so.
    assert printed.splitlines()[::2] == ["['shown'] x [False, False, True, False, True]"] * 2
    assert sorted(path.name for path in store.iterdir()) == ["file", "shown"]
    assert (open_to / "new").read_text() == "y"


@walled
def test_other_calls_are_not_seen():
    with scratch_folder() as other:
        (other / "clean.png").write_text("x")
        printed, _ = go("import os; print(len(os.listdir('..')))", Walls())
    assert printed == "1\n"


@walled
def test_a_user_of_no_files_runs_what_anybody_may_read(tmp_path):
    """Where this one may choose, and the code can be read."""
    system = Path("/usr/bin/python3")
    if os.getuid() != 0 or not system.exists():
        pytest.skip("needs root, and an interpreter for everybody")
    with scratch_folder() as scratch:
        code = "import os; print(os.getuid(), os.getgroups()); open('mine', 'w')"
        run_confined("plugin", [str(system), "-c", code], scratch, 20.0, 1.0, Walls())
        assert (scratch / "printed").read_text() == "65534 []\n"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with scratch_folder() as scratch:
        code = (
            "import os; print(os.getuid(),"
            " [line.split()[1] for line in open('/proc/self/status') if line[:6] == 'CapEff'])"
        )
        walls = Walls(needed=(closed,))
        run_confined("plugin", [str(system), "-c", code], scratch, 20.0, 1.0, walls)
        assert (scratch / "printed").read_text() == "0 ['0000000000000000']\n"


@BOTH
def test_a_command_that_is_not_there_is_named(walls):
    with scratch_folder() as scratch, pytest.raises(PluginError, match="no-such cannot be run"):
        run_confined("plugin", ["no-such"], scratch, 20.0, 1.0, walls)
