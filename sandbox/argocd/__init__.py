"""Argo CD itself beside a sandbox, started on demand; its parts are processes of the host.

It is built once by the Go that its module asks for, and needs git and Debian's redis-server.
"""

from sandbox.argocd.instance import ArgoCD

__all__ = ["ArgoCD"]
