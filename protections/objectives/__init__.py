"""What objectives share: denoising errors, targets, masks and surrogates that are trained."""
