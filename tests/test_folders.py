"""A folder that a reader can take in: at most sixteen modules, or one algorithm per file."""

from pathlib import Path

import impress_bench.benchmark

ROOT = Path(impress_bench.benchmark.__file__).resolve().parents[1]
MOST = 16
#: One algorithm per file. The models hold two more than they should until results are keyed anew,
#: which moving a module that plugins reach would make necessary.
EXEMPT = {"protections": None, "attacks": None, "benchmark/models": 18}


def test_no_folder_of_the_package_is_flat():
    rooms = {}
    for wing in ("benchmark", "protections", "attacks", "metrics", "leaderboard"):
        for init in sorted((ROOT / wing).rglob("__init__.py")):
            modules = [path for path in init.parent.glob("*.py") if path != init]
            rooms[init.parent.relative_to(ROOT).as_posix()] = len(modules)
    assert len(rooms) > 40
    for room, count in rooms.items():
        most = EXEMPT.get(room, MOST)
        assert most is None or count <= most, f"{room} has {count} modules"
