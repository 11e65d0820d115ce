"""Recorded failures and history, rejected writes and blocked deletions.

Reading order: `records` (failures and history entries for the status), `failures` (a failure that
is known from an earlier decision), `rejections` (rejected writes), `blocked_deletions` (objects
that finalizers keep).

Sources of truth, in this order: the status, the annotations of a revision's ControllerRevision, the
pods. A failure that is recorded in any of them stays in force (R9, R18).
"""
