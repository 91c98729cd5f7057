"""Families of latent diffusion models, one package per family."""
