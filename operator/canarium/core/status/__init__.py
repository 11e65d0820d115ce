"""From a decision to what people and tools read: status, conditions, history, warnings, Events.

Reading order: `status` (the whole status), `conditions`, `warnings`, `history`, `events` with
`progress_events`.
`unsupported` and `unmanaged` write the status of models for which nothing is decided.

Invariants: a status is equal to the last one when nothing is new, so that it is not written again.
Times keep their value while their reason does. Events are derived from the difference of two
statuses, so a restart repeats none. No text claims that a version serves without a ready endpoint
(R29).
"""
