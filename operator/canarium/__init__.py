"""Canarium ships model versions safely on Kubernetes.

Reading order: `api` (the resources), `core` (all decisions), `engine` (the cache, the queue and the
writes), `host` (the process); docs/contributing/architecture.md has the picture.
"""

VERSION = "0.1.0"
GROUP = "canarium.dev"
API_VERSION = "canarium.dev/v1alpha1"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"
FIELD_MANAGER = "canarium"
