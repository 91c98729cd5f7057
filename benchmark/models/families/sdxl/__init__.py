"""Stable Diffusion XL (Podell et al. 2024)."""
