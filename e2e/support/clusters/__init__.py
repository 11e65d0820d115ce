"""Where the end-to-end tests run: a native node, kind, or an existing cluster.

Reading order: `needs.py` (what a test needs and which cluster offers it), `start.py`,
`kind.py`, `existing.py`.
"""
