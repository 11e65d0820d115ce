"""Everything in the repository that is made from something else in it."""
