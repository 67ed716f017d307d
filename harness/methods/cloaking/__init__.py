"""Cloaking: photographs changed so that recognisers lose the person, and the controls that explain a gain away."""
