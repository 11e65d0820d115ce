"""A real Kubernetes for the tests, the demo and development, from packages alone."""
