"""Unlearning: edits that make a trained model answer as if it had never seen some of its data."""
