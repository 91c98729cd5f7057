"""The invented artists: who paints in which movement, and by which habits."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal

from impress_bench.benchmark.atelier.world.canvas import Colour

Role = Literal["pretrain", "victim", "validation"]
Habit = Literal[
    "low horizon",
    "high horizon",
    "great sun",
    "tilted",
    "close crop",
    "mirrored",
    "wide view",
    "plain",
]

MOVEMENTS: Final[tuple[str, ...]] = (
    "impressionism",
    "pointillism",
    "expressionism",
    "cubism",
    "ukiyo-e",
    "art deco",
    "pop art",
    "ink wash",
    "engraving",
    "mosaic",
    "watercolor",
    "baroque",
    "stained glass",
    "glitch art",
    "low poly",
    "woodcut",
    "photography",
)


@dataclass(frozen=True)
class Artist:
    """An invented artist.

    hue: turns by which the palette is shifted; saturation, value: factors on it; stroke: factor
    on the size of marks; angle: lean of marks in radians; habit: how scenes are composed;
    accent: the ink kept for accents where the movement has one.
    """

    name: str
    movement: str
    role: Role
    hue: float
    saturation: float
    value: float
    stroke: float
    angle: float
    habit: Habit
    accent: Colour


_CINNABAR: Final[Colour] = (204, 52, 44)
_COBALT: Final[Colour] = (38, 98, 168)
_OCHRE: Final[Colour] = (228, 162, 42)
_VIRIDIAN: Final[Colour] = (52, 130, 86)
_ROSE: Final[Colour] = (214, 96, 132)
_VIOLET: Final[Colour] = (112, 72, 150)

# Name, role, hue, saturation, value, stroke, angle, habit, accent: the order of the fields.
_Row = tuple[str, Role, float, float, float, float, float, Habit, Colour]

# fmt: off
_ROWS: Final[dict[str, tuple[_Row, ...]]] = {
    "impressionism": (
        ("Orsola Venn", "pretrain", -0.036, 1.15, 1.0, 0.89, -0.26, "mirrored", _CINNABAR),
        ("Matteo Caldwell", "pretrain", -0.008, 0.84, 1.06, 1.0, 0.09, "wide view", _COBALT),
        ("Ines Harrow", "pretrain", 0.037, 1.02, 0.92, 1.16, 0.32, "great sun", _OCHRE),
        ("Tobias Lindgren", "pretrain", -0.012, 1.07, 0.97, 1.04, -0.18, "plain", _VIRIDIAN),
        ("Odile Fontaine", "validation", 0.055, 1.3, 0.97, 1.25, 0.6, "close crop", _VIOLET),
    ),
    "pointillism": (
        ("Clara Monteux", "pretrain", -0.036, 1.18, 1.0, 0.88, -0.27, "low horizon", _COBALT),
        ("Felix Arden", "pretrain", -0.003, 0.81, 1.06, 1.01, 0.17, "tilted", _OCHRE),
        ("Noemi Castellan", "pretrain", 0.029, 1.01, 0.92, 1.13, 0.39, "wide view", _VIRIDIAN),
        ("Hugo Merriwell", "victim", 0.055, 1.27, 0.97, 1.25, 0.63, "close crop", _ROSE),
    ),
    "expressionism": (
        ("Marguerite Sole", "pretrain", -0.043, 1.18, 1.0, 0.9, -0.3, "low horizon", _OCHRE),
        ("Emil Draven", "pretrain", -0.007, 0.87, 1.06, 0.99, 0.16, "wide view", _VIRIDIAN),
        ("Paloma Reyes", "pretrain", 0.031, 1.01, 0.92, 1.14, 0.37, "high horizon", _ROSE),
        ("Otto Wexford", "victim", 0.055, 1.32, 0.97, 1.25, 0.61, "close crop", _VIOLET),
    ),
    "cubism": (
        ("Astrid Falk", "pretrain", -0.042, 1.2, 1.0, 0.9, -0.28, "low horizon", _VIRIDIAN),
        ("Bruno Talbot", "pretrain", 0.009, 0.88, 1.06, 1.01, 0.03, "high horizon", _ROSE),
        ("Selma Varga", "pretrain", 0.032, 0.96, 0.92, 1.13, 0.3, "close crop", _VIOLET),
        ("Julian Roche", "victim", 0.055, 1.26, 0.97, 1.23, 0.6, "tilted", _CINNABAR),
    ),
    "ukiyo-e": (
        ("Haruka Senzai", "pretrain", -0.041, 1.15, 1.0, 0.91, -0.37, "great sun", _ROSE),
        ("Kenji Morisawa", "pretrain", 0.004, 0.84, 1.06, 1.0, 0.13, "low horizon", _VIOLET),
        ("Aiko Tanemura", "pretrain", 0.038, 1.0, 0.92, 1.14, 0.3, "tilted", _CINNABAR),
        ("Shun Ogata", "victim", 0.055, 1.3, 0.97, 1.24, 0.64, "close crop", _COBALT),
    ),
    "art deco": (
        ("Daphne Sterling", "pretrain", -0.03, 1.14, 1.0, 0.9, -0.23, "mirrored", _VIOLET),
        ("Leopold Crane", "pretrain", -0.002, 0.83, 1.06, 0.99, 0.1, "wide view", _CINNABAR),
        ("Vivian Marlowe", "pretrain", 0.027, 1.0, 0.92, 1.16, 0.36, "high horizon", _COBALT),
        ("Auguste Perrin", "victim", -0.055, 1.33, 0.97, 1.25, 0.65, "close crop", _OCHRE),
    ),
    "pop art": (
        ("Dexter Moon", "pretrain", -0.038, 1.13, 1.0, 0.9, -0.33, "wide view", _CINNABAR),
        ("Ruby Callahan", "pretrain", 0.002, 0.86, 1.06, 0.98, 0.09, "close crop", _COBALT),
        ("Stella Brandt", "pretrain", 0.033, 1.02, 0.92, 1.12, 0.3, "tilted", _OCHRE),
        ("Max Corrigan", "validation", -0.055, 1.29, 0.97, 1.25, 0.57, "low horizon", _VIRIDIAN),
    ),
    "ink wash": (
        ("Yun Meiling", "pretrain", -0.039, 1.13, 1.0, 0.89, -0.29, "mirrored", _COBALT),
        ("Chen Baowei", "pretrain", 0.009, 0.81, 1.06, 1.0, 0.13, "close crop", _OCHRE),
        ("Lin Suyin", "pretrain", 0.043, 1.05, 0.92, 1.13, 0.36, "great sun", _VIRIDIAN),
        ("Park Jiho", "pretrain", -0.007, 1.01, 0.97, 1.05, -0.15, "plain", _ROSE),
    ),
    "engraving": (
        ("Gerard Holt", "pretrain", -0.045, 1.11, 1.0, 0.9, -0.24, "tilted", _OCHRE),
        ("Mathilda Graves", "pretrain", -0.005, 0.87, 1.06, 1.0, 0.06, "great sun", _VIRIDIAN),
        ("Cornelius Vane", "pretrain", 0.039, 0.98, 0.92, 1.13, 0.39, "high horizon", _ROSE),
        ("Agnes Thorne", "pretrain", -0.015, 1.08, 0.97, 1.05, -0.15, "plain", _VIOLET),
    ),
    "mosaic": (
        ("Teodora Basso", "pretrain", -0.026, 1.1, 1.0, 0.89, -0.26, "low horizon", _VIRIDIAN),
        ("Flavio Serra", "pretrain", 0.004, 0.86, 1.06, 1.01, 0.16, "great sun", _ROSE),
        ("Irene Palatine", "pretrain", 0.039, 1.0, 0.92, 1.14, 0.38, "tilted", _VIOLET),
        ("Marcus Aldine", "victim", 0.055, 1.31, 0.97, 1.25, 0.6, "close crop", _CINNABAR),
    ),
    "watercolor": (
        ("Willa Fenwick", "pretrain", -0.032, 1.16, 1.0, 0.9, -0.32, "low horizon", _ROSE),
        ("Rowan Ashby", "pretrain", 0.004, 0.81, 1.06, 1.01, 0.16, "wide view", _VIOLET),
        ("Elodie Marsh", "pretrain", 0.044, 0.96, 0.92, 1.12, 0.41, "close crop", _CINNABAR),
        ("Silas Penrose", "validation", 0.055, 1.28, 0.97, 1.24, 0.63, "tilted", _COBALT),
    ),
    "baroque": (
        ("Ambrogio Ventura", "pretrain", -0.029, 1.14, 1.0, 0.9, -0.29, "wide view", _VIOLET),
        ("Catalina Duran", "pretrain", -0.004, 0.89, 1.06, 0.99, 0.11, "close crop", _CINNABAR),
        ("Hendrik Vosse", "pretrain", 0.028, 1.01, 0.92, 1.16, 0.41, "low horizon", _COBALT),
        ("Lavinia Moretti", "pretrain", -0.022, 1.06, 0.97, 1.07, -0.15, "plain", _OCHRE),
        ("Caspar Hollund", "validation", 0.055, 1.31, 0.97, 1.24, 0.62, "high horizon", _VIRIDIAN),
    ),
    "stained glass": (
        ("Isolde Glazier", "pretrain", -0.036, 1.16, 1.0, 0.91, -0.32, "close crop", _CINNABAR),
        ("Theo Lambert", "pretrain", 0.003, 0.86, 1.06, 1.01, 0.1, "great sun", _COBALT),
        ("Bernadette Roux", "pretrain", 0.032, 0.99, 0.92, 1.16, 0.3, "low horizon", _OCHRE),
        ("Alaric Stone", "victim", -0.055, 1.34, 0.97, 1.26, 0.56, "tilted", _VIRIDIAN),
    ),
    "glitch art": (
        ("Nova Kimura", "pretrain", -0.035, 1.18, 1.0, 0.89, -0.24, "low horizon", _COBALT),
        ("Zane Calder", "pretrain", -0.001, 0.88, 1.06, 1.01, 0.17, "close crop", _OCHRE),
        ("Pixie Laurent", "pretrain", 0.035, 1.01, 0.92, 1.14, 0.3, "great sun", _VIRIDIAN),
        ("Orion Vega", "pretrain", -0.015, 1.09, 0.97, 1.07, -0.18, "plain", _ROSE),
    ),
    "low poly": (
        ("Maya Prisma", "pretrain", -0.026, 1.15, 1.0, 0.9, -0.3, "tilted", _OCHRE),
        ("Jonas Facet", "pretrain", 0.007, 0.87, 1.06, 0.98, 0.05, "mirrored", _VIRIDIAN),
        ("Ayla North", "pretrain", 0.042, 1.0, 0.92, 1.15, 0.39, "high horizon", _ROSE),
        ("Eero Vihtori", "pretrain", -0.012, 1.07, 0.97, 1.05, -0.14, "plain", _VIOLET),
        ("Senna Kovac", "validation", -0.055, 1.28, 0.97, 1.26, 0.58, "wide view", _CINNABAR),
    ),
    "woodcut": (
        ("Hedda Krull", "pretrain", -0.027, 1.12, 1.0, 0.88, -0.32, "high horizon", _VIRIDIAN),
        ("Ludwig Amsel", "pretrain", -0.003, 0.85, 1.06, 1.0, 0.17, "close crop", _ROSE),
        ("Katya Morozova", "pretrain", 0.027, 1.04, 0.92, 1.12, 0.42, "tilted", _VIOLET),
        ("Viktor Blum", "victim", 0.055, 1.32, 0.97, 1.22, 0.59, "low horizon", _CINNABAR),
    ),
    "photography": (
        ("Nora Whitfield", "pretrain", -0.013, 1.14, 1.0, 0.9, -0.38, "mirrored", _ROSE),
        ("Samuel Okoye", "pretrain", 0.002, 0.84, 1.06, 0.99, 0.06, "close crop", _VIOLET),
        ("Elena Prado", "pretrain", 0.011, 0.95, 0.92, 1.13, 0.32, "tilted", _CINNABAR),
        ("Dominic Hale", "pretrain", -0.006, 1.07, 0.97, 1.05, -0.04, "plain", _COBALT),
    ),
}
# fmt: on

ARTISTS: Final[tuple[Artist, ...]] = tuple(
    Artist(row[0], movement, *row[1:]) for movement, rows in _ROWS.items() for row in rows
)


def artists(role: str | None = None, movement: str | None = None) -> tuple[Artist, ...]:
    """The artists of a role, of a movement, of both, or all of them."""
    return tuple(
        a
        for a in ARTISTS
        if (role is None or a.role == role) and (movement is None or a.movement == movement)
    )


def artist(name: str) -> Artist:
    """The artist of that name; ValueError with the nearest names where there is none."""
    for candidate in ARTISTS:
        if candidate.name == name:
            return candidate
    near = difflib.get_close_matches(name, [a.name for a in ARTISTS], n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"no artist is named {name!r}{hint}")
