"""Other people's code in processes that cannot reach this one, its files or a network."""
