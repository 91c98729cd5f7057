"""The embedded world: procedural painters, and a latent diffusion model trained on them."""
