"""Argo CD in front of the operator: a git repository is all that people change."""
