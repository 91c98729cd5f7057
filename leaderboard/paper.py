"""The paper's own figures, as printed, for boards whose model is the paper's.

Cao, Li, Wang, Jia, Li, Chen. IMPRESS: Evaluating the Resilience of Imperceptible Perturbations
Against Unauthorized Data Usage in Diffusion-Based Generative AI. NeurIPS 2023 (arXiv 2310.19248).
Per cent, mean ± std over eight artists; a hit is the artist's movement among the first three.
"""

from __future__ import annotations

TABLE_1_SOURCE = "IMPRESS, NeurIPS 2023, Table 1"

# metric -> (protection, purifier) -> (mean, std) in per cent
TABLE_1: dict[str, dict[tuple[str, str], tuple[float, float]]] = {
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
