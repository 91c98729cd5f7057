"""Pins each requirement to its lower bound in setup.cfg: constraints for pip, one per line.

    python tools/lowest.py > lowest.txt; pip install --constraint lowest.txt '.[test]'

installs the oldest libraries that the package claims to run with, and fails where they exclude each
other or do not exist. `make lowest` does so, and runs tests with them.
"""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What an installation without development tools and documentation may hold.
EXTRAS = ("test", "ray", "lora", "wikiart", "opencv")


def lower_bounds(setup: str) -> dict[str, str]:
    """Versions by requirement, of the package itself and of its extras `EXTRAS`.

    Raises ValueError for a requirement without a lower bound, and for two of one name.
    """
    config = ConfigParser()
    config.read_string(setup)
    lists = [config["options"]["install_requires"]]
    lists += [config["options.extras_require"][extra] for extra in EXTRAS]
    bounds: dict[str, str] = {}
    for line in "\n".join(lists).split("\n"):
        if not line.strip():
            continue
        name, relation, version = (part.strip() for part in line.partition(">="))
        if not relation or "," in version:
            raise ValueError(f"{line.strip()}: write NAME >= VERSION, so that it can be tested")
        if bounds.setdefault(name, version) != version:
            raise ValueError(f"{name}: both {bounds[name]} and {version} are lower bounds of it")
    return bounds


if __name__ == "__main__":
    for name, version in lower_bounds((ROOT / "setup.cfg").read_text()).items():
        print(f"{name}=={version}")
