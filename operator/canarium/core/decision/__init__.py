"""The values of a decision.

`plan` contains the writes and the plan itself, `phase_result` the result of one phase, before
bookkeeping and status are added.
All are frozen. A write is data (`SelectColor`, `Scale`, `DeleteDeployment` …), and `engine.apply`
performs the writes in order.
"""
