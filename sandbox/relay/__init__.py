"""Connections to addresses inside a cluster whose network this machine does not belong to.

A process of a pod connects to pods and Services as any pod does, so that kube-proxy distributes
the connections; `kubectl exec` carries all of them. That needs no right on the nodes, no route to
them and no root. `kubectl port-forward` would not do: it leads to one pod of a Service, and
ends all of its connections when one of them fails.

Reading order: `end.py` (both ends of the pipe), `outer.py` (the process on this machine), `pod.py`.
"""
