"""Floors: the same work by clients that decide nothing, as fast as it can be done.

No operator can be faster on this API server: the controllers that follow (Deployments, endpoints,
scheduler) do the same work after either. A budget in seconds depends on the machine; a ratio to a
floor of the same run does not (decision 0061).
"""
