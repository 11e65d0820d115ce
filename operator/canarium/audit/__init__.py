"""Audit statements: which revisions served, when, and who requested them, as JSON.

`statement` builds one in-toto statement per revision, purely from raw objects. The verb `record` of
the command line reads them and prints the statements.
"""
