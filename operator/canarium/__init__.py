"""Canarium ships model versions safely on Kubernetes."""

VERSION = "0.1.0"
GROUP = "canarium.dev"
API_VERSION = "canarium.dev/v1alpha1"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"
FIELD_MANAGER = "canarium"
