"""Why nothing is concluded from a table: sentences that stand where a finding would."""

from __future__ import annotations

from collections.abc import Sequence

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.findings.paired import primary_of

NO_PRIMARY = "Nothing is concluded here: the run declares no primary metric for this task."
NO_NOISE = "Nothing is concluded: no protection here has noise that is as visible beside it."


def not_primary(metric: MetricInfo, metrics: Sequence[MetricInfo]) -> str:
    """Why a metric concludes nothing that is not the primary one of its task's `metrics`; "" of
    that one."""
    primary = primary_of(metrics)
    if primary is None:
        return NO_PRIMARY
    if primary.name == metric.name:
        return ""
    return f"Nothing is concluded from this metric: the task's conclusions rest on {primary.title}."
