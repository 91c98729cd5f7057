"""Exit codes: 0 done, 1 something failed or was refused, 2 bad usage, 130 interrupted."""

STOPPED = 1
USAGE_ERROR = 2
INTERRUPTED = 130
