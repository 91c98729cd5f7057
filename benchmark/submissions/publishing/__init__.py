"""From published results and submissions to boards and the page at the root."""
