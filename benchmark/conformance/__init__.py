"""What the benchmark relies on in plugins, as checks; `impress-bench check` runs them."""

from impress_bench.benchmark.conformance.case import Case, ConformanceError, Photos, checks
from impress_bench.benchmark.conformance.images import Conformance, part_of
from impress_bench.benchmark.conformance.metrics import MetricConformance

__all__ = [
    "Case",
    "Conformance",
    "ConformanceError",
    "MetricConformance",
    "Photos",
    "checks",
    "part_of",
]
