"""Undoes single fixes and runs the tests that prove them: each has to fail."""
