"""Scores as the IMPRESS paper reports them, for boards of a run whose model is the paper's.

Cao, Li, Wang, Jia, Li, Chen. IMPRESS: Evaluating the Resilience of Imperceptible Perturbations
Against Unauthorized Data Usage in Diffusion-Based Generative AI. NeurIPS 2023 (arXiv 2310.19248).
Table 1: per cent, mean ± std over eight artists; a hit is the artist's movement among the first
three. Table 2: mean ± std over 80 photos, PSNR in dB; protected by PhotoGuard's diffusion attack,
whose released code carries the adaptive term of Table 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from impress_bench.benchmark.spec import Spec
from impress_bench.leaderboard.layout import parsed

T = TypeVar("T")

TABLE_1_SOURCE = "IMPRESS, NeurIPS 2023, Table 1"
TABLE_2_SOURCE = "IMPRESS, NeurIPS 2023, Table 2"
ADAPTIVE_SOURCE = "IMPRESS, NeurIPS 2023, Tables 3 to 6; the last value of Table 6 is cut off there"

#: metric -> (protection, purifier) -> mean and standard deviation
Reported = Mapping[str, Mapping[tuple[str, str], tuple[float, float]]]
#: metric -> adapted protection -> cells as printed: clean (style mimicry alone), then protected and
#: purified, without and with the adaptation
ReportedPairs = Mapping[str, Mapping[str, tuple[str, ...]]]

TABLE_1: Reported = {
    "clip-top3": {
        ("identity", "none"): (90.8, 3.2),
        ("glaze", "none"): (42.5, 8.3),
        ("glaze", "jpeg"): (64.9, 7.6),
        ("glaze", "gaussian-noise"): (47.9, 7.0),
        ("glaze", "resize"): (66.6, 3.4),
        ("glaze", "impress"): (87.0, 6.7),
    },
    "diffusion-top3": {
        ("identity", "none"): (95.4, 3.1),
        ("glaze", "none"): (42.9, 9.5),
        ("glaze", "jpeg"): (67.6, 9.0),
        ("glaze", "gaussian-noise"): (40.9, 9.8),
        ("glaze", "resize"): (68.0, 9.5),
        ("glaze", "impress"): (82.3, 8.3),
    },
}

TABLE_2: Reported = {
    "ssim": {
        ("photoguard-diffusion", "none"): (0.41, 0.06),
        ("photoguard-diffusion", "jpeg"): (0.52, 0.07),
        ("photoguard-diffusion", "gaussian-noise"): (0.18, 0.05),
        ("photoguard-diffusion", "resize"): (0.49, 0.08),
        ("photoguard-diffusion", "impress"): (0.49, 0.08),
    },
    "psnr": {
        ("photoguard-diffusion", "none"): (14.24, 1.57),
        ("photoguard-diffusion", "jpeg"): (15.51, 1.69),
        ("photoguard-diffusion", "gaussian-noise"): (11.06, 0.94),
        ("photoguard-diffusion", "resize"): (14.94, 1.59),
        ("photoguard-diffusion", "impress"): (15.61, 2.03),
    },
    "vif-p": {
        ("photoguard-diffusion", "none"): (0.11, 0.03),
        ("photoguard-diffusion", "jpeg"): (0.15, 0.04),
        ("photoguard-diffusion", "gaussian-noise"): (0.06, 0.02),
        ("photoguard-diffusion", "resize"): (0.14, 0.05),
        ("photoguard-diffusion", "impress"): (0.16, 0.04),
    },
}

#: metric -> protection -> means, protected and purified
TABLE_3: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "clip-top3": {
        "glaze+consistency[weight=1]": (42.5, 85.6),
        "glaze+consistency[weight=10]": (41.0, 84.6),
        "glaze+consistency[weight=40]": (40.8, 81.9),
        "glaze+consistency[weight=100]": (47.1, 85.7),
        "glaze+consistency[weight=1000]": (77.1, 82.1),
    }
}

TABLE_4: ReportedPairs = {
    "clip-top3": {
        "glaze+consistency[weight=40]": (
            "90.8 ± 3.2", "42.5 ± 8.3", "87.0 ± 6.7", "40.8 ± 9.1", "81.9 ± 5.5",
        ),
    },
    "diffusion-top3": {
        "glaze+consistency[weight=40]": (
            "95.4 ± 3.1", "42.9 ± 9.5", "82.3 ± 8.3", "44.1 ± 9.3", "84.0 ± 6.6",
        ),
    },
}  # fmt: skip

TABLE_5: ReportedPairs = {
    "ssim": {
        "photoguard-diffusion+consistency": (
            "0.41 ± 0.06", "0.49 ± 0.08", "0.42 ± 0.04", "0.52 ± 0.05",
        ),
    },
    "psnr": {
        "photoguard-diffusion+consistency": (
            "14.24 ± 1.57", "15.61 ± 2.03", "14.54 ± 1.74", "15.90 ± 1.23",
        ),
    },
    "vif-p": {
        "photoguard-diffusion+consistency": (
            "0.11 ± 0.03", "0.16 ± 0.03", "0.14 ± 0.04", "0.16 ± 0.03",
        ),
    },
}  # fmt: skip

TABLE_6: ReportedPairs = {
    "clip-top3": {"glaze+o-pgd": ("90.8", "42.5", "87.0", "48.0 (40.8)", "83.9 (81.9)")},
    "diffusion-top3": {"glaze+o-pgd": ("95.4", "42.9", "82.3", "47.8 (44.1)", "84. (84.0)")},
}


def reported(table: Mapping[str, T], spec: str) -> T | None:
    """The entry of `table` for a row of a board: the one whose spec the row's `spec` refines; None
    if there is none.
    """
    row = parsed(spec)
    return next((value for name, value in table.items() if refines(row, parsed(name))), None)


def refines(row: Spec, entry: Spec) -> bool:
    """Whether both name the same components and the adaptations of `row` have the parameters that
    `entry` gives; others, which the paper does not vary, may differ."""
    pairs = zip((row, *row.adaptations), (entry, *entry.adaptations), strict=False)
    return row.family == entry.family and all(
        set(theirs.parameters) <= set(ours.parameters) for ours, theirs in pairs
    )
