"""InstructPix2Pix (Brooks et al. 2023)."""
