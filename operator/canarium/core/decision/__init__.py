"""What a decision is made of: `plan` has the writes and the plan itself, `phase_result` what one
phase decides before bookkeeping and status are added.

Both are frozen values. A write is data (`SelectColor`, `Scale`, `DeleteDeployment` …), carried out
in order by `engine.apply`.
"""
