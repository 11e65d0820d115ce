"""Who makes a request: a person with a login, a proxy's header, or the user of a kubeconfig.

Reading order: `identity`, `sessions`, then one module per mode: `local`, `token`, `header` and
`impersonation`.
"""
