"""Adaptations: compositions that prepare any gradient protection for purification."""
