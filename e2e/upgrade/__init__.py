"""A release before, upgraded to this commit and back, over models in every phase."""
