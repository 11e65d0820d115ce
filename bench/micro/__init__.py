"""Micro-benchmarks of the pure core, next to the previous commit.

Reading order: `test_core` (what is timed), `__main__` (how two trees are compared).

Invariant: a result is a ratio of two runs on the same machine, never a time.
"""
