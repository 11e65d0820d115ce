"""Asynchronous sources of facts about what versions answer: metrics, queries, requests of ours.

Nothing here decides: a source gives a `Reading`, or says why there is none.
"""
