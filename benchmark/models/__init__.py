"""Latent diffusion models behind one interface, and the classifiers that judge what they paint."""
