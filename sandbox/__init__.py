"""A real Kubernetes for the tests, the demo and development, from packages alone."""

from sandbox import images
from sandbox.backends import NotOffered
from sandbox.choice import NoMode
from sandbox.cluster import NotUp, Sandbox, sandboxes
from sandbox.forwarding import Forward, NoWay
from sandbox.options import Mode, Options
from sandbox.parts import Part, PartFailed

__all__ = [
    "Forward",
    "Mode",
    "NoMode",
    "NoWay",
    "NotOffered",
    "NotUp",
    "Options",
    "Part",
    "PartFailed",
    "Sandbox",
    "images",
    "sandboxes",
]
