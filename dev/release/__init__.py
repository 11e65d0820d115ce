"""A release: its version everywhere, the changelog, and what is shipped."""
