"""Text from outside the operator, made safe to repeat in a status, an Event or a log.

Reading order: `quoting` (escapes and shortens a text once, where it becomes the operator's own),
`error_log` (reports exceptions that objects of tenants may cause).

Invariants: a quoted text has one line and a maximum length. An exception is reported on one line,
and again only when it changes.
"""
