"""Retrofitting: a few numbers of a trained model, or its latents, moved by what a black-box score says of them."""
