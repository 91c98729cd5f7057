"""From a preset to a plan: the graph of stages, each once."""
