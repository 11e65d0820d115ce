"""Reports of a run: the tables and the plots.

Reading order: `markdown` (the page), `plots` (its figures).

Invariant: a report depends only on the results, the date and the machine.
"""
