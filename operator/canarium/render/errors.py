"""What cannot be rendered, and why: a reason for the condition, and a sentence with details."""

from __future__ import annotations


class RuntimeInvalid(ValueError):
    """No server can be rendered from the runtime and the spec; the message begins with a path.

    `reason` is one word for the condition: UnknownRuntime, UnknownFormat, AmbiguousFormat,
    NoImage, NoReadinessProbe, TemplateInvalid, TemplateUnbounded, TemplateTooLarge, NoFetcher,
    UnknownScheme, InvalidUri or UnusedEndpoint.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
