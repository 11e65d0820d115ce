"""Checks the wording of everything that people read: documentation, messages and docstrings.

`phrases.py` is the ban list, `texts.py` extracts the prose of a file, `docstrings.py` checks how
docstrings begin, `names.py` refuses vague identifiers, `__main__.py` reports all of it.
"""
