"""What a page says of the runs that it shows."""

import pytest

from impress_bench.benchmark.harness.runs.pages import run_lines

ORIGIN = {
    "started": "2026-11-27T06:00:00+00:00",
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "packages": {"impress-bench": "0.1.0", "torch": "2.14.1"},
    "device": "cpu",
    "hardware": {"cores": 2},
    "preset": {"name": "paper"},
    "models": {"target": {"name": "atelier", "digest": "fedcba9876543210"}},
}
LATER = ORIGIN | {
    "started": "2026-12-02T06:00:00+00:00",
    "git": {"commit": "9999999999999999", "dirty": True},
    "packages": {"impress-bench": "0.1.0", "torch": "2.11.0"},
    "device": "cuda",
    "hardware": {"gpu": "2 x NVIDIA H100"},
}


@pytest.mark.parametrize(
    ("origins", "line"),
    [
        ([ORIGIN], "Preset `paper`, impress-bench 0.1.0, commit 0123456789ab, begun on 2026-11-27"),
        (
            [LATER, ORIGIN, LATER],
            "Preset `paper`, impress-bench 0.1.0, commit 999999999999 with uncommitted changes,"
            " commit 0123456789ab, begun on 2026-11-27 and 2026-12-02,"
            " GPU 2 x NVIDIA H100 for some of the subjects, torch 2.11.0 and 2.14.1",
        ),
        (
            [LATER],
            "Preset `paper`, impress-bench 0.1.0, commit 999999999999 with uncommitted changes,"
            " begun on 2026-12-02, GPU 2 x NVIDIA H100",
        ),
        (
            [{key: value for key, value in ORIGIN.items() if key != "hardware"} | {"git": None}],
            "Preset `paper`, impress-bench 0.1.0, begun on 2026-11-27",
        ),
    ],
)
def test_a_run_says_what_it_was_made_with(origins, line):
    assert run_lines(origins) == [line, "Model `atelier`, digest fedcba987654"]
