"""Diffusion models: what is usual for a family, loading, sampling, the running UNet call, hooks and recording."""
