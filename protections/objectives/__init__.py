"""What objectives share: denoising errors, targets, masks and trained surrogates."""
