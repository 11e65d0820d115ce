"""Whether a cluster is ready for models: what `kubectl modeldeploy doctor` checks.

Reading order: `finding`, `facts` (everything that is read, once), then one module per subject:
`definitions`, `operators`, `scope`, `network`, `gateways`, `rights`, `images`. Each of them is a
pure function of the facts, and `examination` runs all of them.
"""
