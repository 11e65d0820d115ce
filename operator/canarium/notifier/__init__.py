"""Delivers the transitions of models to sinks (R28), in a separate process.

The operator keeps the last transitions of a model in its status, in the same write as the
transition itself. This process watches models, and delivers what a sink has not received yet. So
nothing that a sink does can delay or change a rollout.

Reading order: `notification` (what is delivered), `outbox` (what a sink has not received; pure),
`cursors` (what it has received, in a ConfigMap), `deliveries` (order, retries), `cloud_events`,
`apprise_sender` and `otlp_traces` with `spans` (how), `process` (wires all together).

Invariants: at least once; in order per model and sink; one sink never waits for another.
"""
