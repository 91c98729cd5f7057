"""Solvers: how an objective is minimised within a budget, whatever the objective is."""
