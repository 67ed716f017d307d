"""Face privacy: what recognisers still see of protected photos."""
