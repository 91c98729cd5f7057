"""Pictures: scatter plots of measurements, and labelled strips of images."""
