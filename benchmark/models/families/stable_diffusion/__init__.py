"""Stable Diffusion 1 and 2 and their inpainting versions, in diffusers layout."""
