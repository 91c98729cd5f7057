"""Recipes that retrain the atelier's model pack from seed: vae, denoiser, inpainter, clip."""
