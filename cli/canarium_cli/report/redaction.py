"""Removes what may be secret: values of environment variables, tokens, passwords, credentials.

Two passes: objects by their structure (every `env`, annotations and fields with a secret name),
and every text by patterns. Names stay, so that a reader sees what was set.
"""

from __future__ import annotations

import re
from typing import Any

REDACTED = "<redacted>"
#: Names of fields, variables, headers and annotations whose values are removed.
_TELLING = re.compile(
    r"(token|pass(?!e[ds]|ing|age|enger|ive|port|through)|secret|credential|authorization"
    r"|(api|access|account|private)[-_]?key|cookie|signature)",
    re.I,
)
#: The same words in fields that hold names and settings of Kubernetes, no values.
_NAMES = re.compile(
    r"(name|names|ref|keyref|path|mounts?|volumes?|sources?|seconds|restartToken|pullSecrets)$",
    re.I,
)
_CONTENTS = ("data", "stringData", "binaryData")
#: It repeats the whole object, with everything that is redacted elsewhere.
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A JSON Web Token, as of a service account.
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.I), rf"\1 {REDACTED}"),
    # User and password in a URL.
    (re.compile(r"(://)[^/\s:@]*:[^/\s@]+@"), rf"\1{REDACTED}@"),
    # A query parameter, a flag, or a setting in a log line.
    (
        re.compile(
            r"((?:[\w-]*(?:token|passw(?:or)?d|passphrase|[_-]pass|secret|signature|credential"
            r"|(?:api|access|account)[-_]?key))[\"']?\s*[=:]\s*[\"']?)(?!<redacted>)[^\s\"'&,;}]+",
            re.I,
        ),
        rf"\1{REDACTED}",
    ),
    # The signature of an Azure shared access signature.
    (re.compile(r"([?&;]sig=)[^\s\"'&]+", re.I), rf"\1{REDACTED}"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"), REDACTED),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"), REDACTED),
    (re.compile(r"\b(ghp|gho|ghs|hf|glpat|xox[bp])[-_][A-Za-z0-9_-]{16,}\b"), REDACTED),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.S),
        REDACTED,
    ),
)


def redacted_text(text: str) -> str:
    """Returns a text, such as a log, without what looks like a credential."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def redacted(value: Any) -> Any:
    """Returns a JSON value without secrets."""
    if isinstance(value, dict):
        if value.get("kind") in ("Secret", "ConfigMap"):
            # Never read; a list of others' making could still contain one.
            value = {key: each for key, each in value.items() if key not in _CONTENTS}
        if isinstance(value.get("name"), str) and _is_telling(value["name"]) and "value" in value:
            # A header or a parameter.
            value = {**value, "value": REDACTED}
        return {key: _field(key, each) for key, each in value.items() if key != "managedFields"}
    if isinstance(value, list):
        return [
            REDACTED if _is_option(before) and isinstance(each, str) else redacted(each)
            for before, each in zip([None, *value], value, strict=False)
        ]
    return redacted_text(value) if isinstance(value, str) else value


def _field(key: str, value: Any) -> Any:
    if key == "env" and isinstance(value, list):
        return [_variable(each) for each in value]
    if key == "env" and isinstance(value, dict):
        return {name: REDACTED if isinstance(x, str) else redacted(x) for name, x in value.items()}
    if key == "annotations" and isinstance(value, dict):
        return {name: _annotation(name, each) for name, each in value.items()}
    if isinstance(value, str) and _is_telling(key):
        return REDACTED
    return redacted(value)


def _is_telling(name: str) -> bool:
    return bool(_TELLING.search(name)) and not _NAMES.search(name)


def _is_option(word: Any) -> bool:
    """Whether it is an option of a command line whose value is the next word."""
    return isinstance(word, str) and word.startswith("-") and "=" not in word and _is_telling(word)


def _variable(variable: Any) -> Any:
    if isinstance(variable, dict) and "value" in variable:
        return {**redacted(variable), "value": REDACTED}
    return redacted(variable)


def _annotation(name: str, value: Any) -> Any:
    if name == _APPLIED or _TELLING.search(name):
        return REDACTED
    # Commands are `<revision>/<token>`; traffic and records are ours, and needed.
    if name.startswith("canarium.dev/") and isinstance(value, str) and value.count("/") == 1:
        return f"{value.partition('/')[0]}/{REDACTED}"
    return redacted(value)
