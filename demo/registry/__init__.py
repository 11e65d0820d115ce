"""The story of `make demo-registry`: an alias of a real MLflow server decides what is rolled out.

Reading order: `story` (what is shown and checked), `mlflow` (the server in its pod, and the
pipeline that trains), `pages` (what command line and dashboard show), `train` (runs in a pod).
"""
