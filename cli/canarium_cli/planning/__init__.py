"""What applying a file would do: revision, objects, pods, and what the cluster would reject.

Reading order: `changes` (the revision and the fields that decide it), `writes` (objects, by the
operator's own decisions on a simulated cluster), `capacity` (quotas and nodes), `server` (what
the cluster is asked).
"""
