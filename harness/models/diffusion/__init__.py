"""Diffusion models: the adapter over diffusers components and the one denoising loop that methods hook into."""
