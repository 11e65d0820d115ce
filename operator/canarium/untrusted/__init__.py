"""Text from outside the operator, made safe to repeat in a status, an Event or a log.

`quoting` escapes it once, where it becomes the operator's own text; `error_log` reports exceptions
that tenants' objects may cause, on one line each and not over and over.
"""
