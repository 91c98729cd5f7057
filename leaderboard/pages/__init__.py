"""Pages that show several boards: the overview of a run, and LEADERBOARD.md of all of them."""
