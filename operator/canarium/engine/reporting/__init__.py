"""Publishes decisions: status and Events.

`status_scheduler` decides when, `status_writer` writes, `events` defers Events while the queue is
busy. There is one status write per transition, and it follows the writes that it reports.
"""
