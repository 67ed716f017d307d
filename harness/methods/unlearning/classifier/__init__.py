"""Unlearning of classifiers: a forget set, a retain set, a trained network; one file a method."""
