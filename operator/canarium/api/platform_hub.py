"""Which Hugging Face hub a model is from, and whether the platform's token is for it.

The operator and the fetcher decide alike.
"""

from __future__ import annotations

#: The hub, if neither the model nor the platform names another one.
HUB = "https://huggingface.co"


def is_platform_hub(endpoint: str | None, platform: str | None) -> bool:
    """Returns whether `spec.model.endpoint` names no other hub than HF_ENDPOINT of the platform,
    so that HF_TOKEN of the platform may be sent there: anyone who writes models sets the former."""
    return not endpoint or endpoint.rstrip("/") == (platform or HUB).rstrip("/")
