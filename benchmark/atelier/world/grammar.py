"""The grammar of titles: the phrases that say what a scene holds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

HOURS: Final = (
    "at noon",
    "at dawn",
    "at dusk",
    "at night",
    "under a stormy sky",
    "under a cloudy sky",
)

BACKGROUNDS: Final = (
    "on a beach",
    "in a forest",
    "in front of mountains",
    "in a city at night",
    "in a desert",
    "in a library",
    "in the snow",
    "in a garden",
    "by a lake",
    "in front of a brick wall",
    "under a starry sky",
    "in front of a red curtain",
)

_FRUIT: Final = ("apple", "lemon", "orange", "pear", "plum")
_COUNTS: Final = ("one", "two", "three", "four")


@dataclass(frozen=True)
class Grammar:
    """Slots in the order in which their phrases stand in the title."""

    slots: tuple[tuple[str, tuple[str, ...]], ...]

    def titles(self) -> tuple[str, ...]:
        """Every title the grammar can produce."""
        return tuple(" ".join(words) for words in itertools.product(*(s[1] for s in self.slots)))


GRAMMARS: Final[dict[str, Grammar]] = {
    "landscape": Grammar(
        (
            (
                "thing",
                (
                    "a red house",
                    "a white house",
                    "a blue house",
                    "a yellow house",
                    "a red barn",
                    "a church",
                    "a windmill",
                    "a castle",
                    "a lone tree",
                    "two trees",
                    "three pines",
                    "a white tent",
                ),
            ),
            (
                "place",
                (
                    "by a river",
                    "in front of mountains",
                    "on a green hill",
                    "by a lake",
                    "in a wheat field",
                    "in a desert",
                    "in the snow",
                ),
            ),
            ("hour", HOURS),
        )
    ),
    "seascape": Grammar(
        (
            (
                "thing",
                (
                    "a white sailboat",
                    "a red sailboat",
                    "a yellow sailboat",
                    "two sailboats",
                    "a steamship",
                    "a fishing boat",
                    "a rowing boat",
                ),
            ),
            (
                "place",
                (
                    "near a lighthouse",
                    "near a cliff",
                    "near an island",
                    "near an iceberg",
                    "near a beach",
                    "near a pier",
                ),
            ),
            ("sea", ("on a calm sea", "on a rough sea")),
            ("hour", HOURS),
        )
    ),
    "still life": Grammar(
        (
            (
                "fruit",
                tuple(f"{n} {f}{'' if n == 'one' else 's'}" for n in _COUNTS for f in _FRUIT),
            ),
            (
                "vessel",
                (
                    *tuple(
                        f"and a {colour} {kind}"
                        for colour in ("blue", "green", "white", "red")
                        for kind in ("vase", "bottle", "jug", "bowl")
                    ),
                    "and a vase of flowers",
                ),
            ),
            (
                "place",
                ("on a wooden table", "on a white cloth", "on a red cloth", "near a window"),
            ),
        )
    ),
    "portrait": Grammar(
        (
            ("sitter", ("a man", "a woman")),
            (
                "top",
                tuple(f"with {c} hair" for c in ("black", "brown", "red", "blond", "white"))
                + tuple(f"with a {c} hat" for c in ("red", "green", "blue", "yellow")),
            ),
            ("coat", tuple(f"and a {c} coat" for c in ("blue", "red", "green", "yellow", "white"))),
            ("place", BACKGROUNDS),
        )
    ),
    "city": Grammar(
        (
            ("ground", ("a street", "a canal", "a square", "a bridge")),
            (
                "skyline",
                (
                    "with tall towers",
                    "with old houses",
                    "with a church",
                    "with a clock tower",
                    "with a golden dome",
                    "with a factory",
                ),
            ),
            (
                "extra",
                (
                    "and a red tram",
                    "and a yellow car",
                    "and a blue car",
                    "and green trees",
                    "and street lamps",
                    "and people",
                ),
            ),
            ("hour", HOURS),
        )
    ),
}
