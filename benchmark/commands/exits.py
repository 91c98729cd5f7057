"""Exit codes: 0 done, 1 something failed or was refused, 2 bad usage; 130, 143 and 129 after
SIGINT, SIGTERM and SIGHUP."""

STOPPED = 1
USAGE_ERROR = 2
INTERRUPTED = 130
