"""`canarium record NAME`: which revisions served, when, and who requested them, as JSON for audits.

`statement` builds one in-toto statement per revision, purely from the objects that `cli` reads.
"""
