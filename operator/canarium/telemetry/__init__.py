"""What the process publishes about itself: metrics, logs, and the HTTP server for both and
probes."""
