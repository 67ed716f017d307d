"""Data that the project draws itself, with ground truth, and the recipes that trained the zoo on it."""
