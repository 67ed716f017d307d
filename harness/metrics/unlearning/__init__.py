"""Unlearning of classifiers: what a model that forgot says, beside its original and exact retraining."""
