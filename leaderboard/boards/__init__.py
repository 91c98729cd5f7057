"""The boards of a run: each module builds one from the tables that the run stored."""
