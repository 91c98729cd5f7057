"""Executors of plans: in this process, in several, on a Ray cluster."""
