"""Adaptations: compositions that make any gradient protection expect purification."""
