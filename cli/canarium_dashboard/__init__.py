"""The dashboard: models, their rollouts and what they wait for, as web pages.

Reading order: `settings`, `access` (who makes a request, and with which rights), `security`
(headers, hosts, origins, CSRF), `api` (requests to the API server), `feeds` (what changed),
`history` (values over time), `drawing` (SVG), `pages`, `app`; then `local` (the verb `dashboard`)
and `__main__` (the Deployment of the chart).

Invariants: every read and every action is made with the rights of the person who asks, and the
process itself has none, apart from the right to impersonate named groups where that is
configured. No request is answered without an identity, except the login page, the static files and
the health probe. Pages are made from `canarium.view` and are complete without JavaScript. Nothing
is stored outside of the memory of the process, and every cache has a bound.
"""
