"""Whether sinks that misbehave delay rollouts or lose notifications: `make bench-notifications`.

Reading order: `sinks` (how receivers misbehave), `cluster` (operators, notifiers and models),
`measuring` (the rounds, and what is made of them).
"""
