"""The harness: from a preset over a plan of stages and a store to the cells of the boards."""
