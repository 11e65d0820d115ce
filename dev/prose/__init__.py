"""Checks the wording of everything that people read: documentation, messages and docstrings.

`phrases.py` is the ban list, `texts.py` extracts the prose of a file, `__main__.py` compares them.
"""
