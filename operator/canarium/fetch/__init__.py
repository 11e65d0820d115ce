"""`canarium fetch`: brings a model to a folder, whole and checked, before its server starts.

It runs as an init container. What it has found out, or why it could not, is one line of JSON in
the termination message; the operator takes the digest, or the reason of the failure, from there.
"""
