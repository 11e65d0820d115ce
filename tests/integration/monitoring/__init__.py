"""One rollout and rollback, watched by a Prometheus; its story is played once for all files."""
