"""Recipes that retrain a model pack from seed: vae, encoder, denoiser, clip, inpainter."""
