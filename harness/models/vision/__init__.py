"""Classifiers that the project trains itself, by one declared recipe: what unlearning is measured on."""
