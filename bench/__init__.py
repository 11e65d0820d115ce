"""Scale, latency and cost of the operator, beside the bare API server and the peers.

    python -m bench                 N = 200 and 1,000 on a separate simulated sandbox
    python -m bench --peers         the same, alternating with Argo Rollouts and Flagger

Not a test: a timing that is over its budget makes the command exit 1.
"""
