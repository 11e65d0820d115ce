"""Where a model lives: the URIs that `spec.model.uri` may hold, and what is wrong with others.

The CRD's rules and the fetcher read the same table, so that what is rejected at apply and what
is rejected in a pod cannot differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

#: Where the server finds what was fetched.
MOUNT = "/mnt/models"

#: Scheme → (the form as text, a regular expression of what follows `scheme://`, RE2-safe).
FORMS: dict[str, tuple[str, str]] = {
    "s3": ("s3://bucket/path", r"[^/?#@\s]+(/[^?#\s]*)?"),
    "gs": ("gs://bucket/path", r"[^/?#@\s]+(/[^?#\s]*)?"),
    "az": ("az://container/path", r"[^/?#@\s]+(/[^?#\s]*)?"),
    "hf": ("hf://owner/model@revision", r"[^/?#@\s]+/[^/?#@\s]+(@[^/?#@\s]+)?(/[^?#\s]*)?"),
    "http": ("http://host/path", r"[^/?#@\s]+(/[^#\s]*)?"),
    "https": ("https://host/path", r"[^/?#@\s]+(/[^#\s]*)?"),
    "pvc": ("pvc://claim/path", r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[^?#\s]*)?"),
    "oci": (
        "oci://registry/repository:tag",
        r"[^/?#@\s]+(/[^/?#@:\s]+)+(:[A-Za-z0-9_][A-Za-z0-9_.\-]*)?(@sha256:[0-9a-f]{64})?/?",
    ),
    "mlflow": (
        "mlflow://model/version, mlflow://model@alias or mlflow://runs/ID/path",
        r"(runs/[A-Za-z0-9][A-Za-z0-9_\-]*/[^?#\s]+"
        r"|[^/?#@:\s]+(/[1-9][0-9]*|@[A-Za-z0-9_\-]+)/?)",
    ),
    "file": ("file:///path", r"/[^?#\s]*"),
}

#: How an archive is known: by its name alone, since many models are zip files inside.
ARCHIVES = {
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "tar",
    ".tbz2": "tar",
    ".txz": "tar",
    ".tar.gz": "tar",
    ".tar.bz2": "tar",
    ".tar.xz": "tar",
    ".tar.zst": "tar",
}

#: Endings of models that are one file: a pod is made before anybody can look.
_FILES = re.compile(
    r"\.(bin|bst|cbm|ckpt|dill|gguf|h5|hdf5|joblib|json|keras|mar|npz|onnx|pickle|pkl"
    r"|plan|pmml|pt|pth|safetensors|tflite|txt|ubj|xgb)$"
)

_TRAVERSAL = re.compile(r"(^|/)\.\.(/|$)")
#: A commit of the hub by its whole name. A shorter one is resolved as branches and tags are.
COMMIT = "[0-9a-f]{40}"


class UriInvalid(ValueError):
    """The URI cannot name a model; the message describes what is valid. `unknown`: its scheme."""

    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class Address:
    """A URI in parts; neither part begins or ends with a slash, so that one more changes nothing.

    `place` is the bucket, container, claim, host, registry, Hugging Face's
    `owner/model@revision`, or MLflow's `model@alias`; `path` is what is below it.
    """

    scheme: str
    place: str
    path: str

    @property
    def fetched(self) -> bool:
        """Whether a fetcher runs before the server: not for a path inside the server's image."""
        return self.scheme != "file"

    @property
    def mounted(self) -> str:
        """The folder or file that the server reads."""
        return MOUNT if self.fetched else f"/{self.path}"

    @property
    def copied(self) -> bool:
        """Whether a claim's file is meant, by its name: it is copied, where a folder is mounted."""
        name = self.path.lower()
        one = name.endswith(tuple(ARCHIVES)) or bool(_FILES.search(name))
        return self.scheme == "pvc" and one

    @property
    def moves(self) -> bool:
        """Whether it is resolved before a revision is stored (R26): an alias of MLflow, a branch
        or tag of the hub, or a tag of an OCI registry."""
        if self.scheme == "hf":
            return not re.fullmatch(COMMIT, self.place.partition("@")[2])
        if self.scheme == "oci":
            return "@" not in self.path
        return self.scheme == "mlflow" and "@" in self.place

    def __str__(self) -> str:
        """Returns the URI without its query, which may contain secrets."""
        path = self.path.split("?")[0]
        return f"{self.scheme}://{self.place}{'/' if path else ''}{path}"


def registered_version(uri: str | None) -> str | None:
    """Returns the version that `uri` names in a registry: "7" for mlflow://fraud/7, else None."""
    match = re.fullmatch(r"mlflow://[^/?#@:\s]+/([1-9][0-9]*)/?", uri or "")
    return match[1] if match else None


def uri_rules() -> list[Any]:
    """Returns the same rules as CEL of the CRD: one for the scheme, one for the form of each
    scheme."""
    known = ", ".join(form for form, _ in FORMS.values())
    rules = [
        {
            "rule": f"self.matches(r'^({'|'.join(FORMS)})://')",
            "message": f"uri has no known scheme: begin it as one of {known}",
        },
        {
            "rule": r"!self.matches(r'(^|/)\.\.(/|$)')",
            "message": "uri must not contain '..' in its path: write the folder itself",
        },
    ]
    for scheme, (form, pattern) in FORMS.items():
        rules.append(
            {
                "rule": f"!self.startsWith('{scheme}://') || "
                f"self.matches(r'^{scheme}://{pattern}$')",
                "message": f"uri must be of the form {form}; put credentials into a Secret",
            }
        )
    return rules


def parse(uri: str) -> Address:
    """Returns the parts of `uri`. Raises UriInvalid."""
    scheme, colon, rest = uri.partition("://")
    if not colon or scheme not in FORMS:
        forms = ", ".join(form for form, _ in FORMS.values())
        raise UriInvalid(
            f"{scheme or uri!r} is not a known scheme; known schemes are {forms}", unknown=True
        )
    form, pattern = FORMS[scheme]
    if not re.fullmatch(pattern, rest):
        raise UriInvalid(f"this is not of the form {form}; put credentials into a Secret")
    if _TRAVERSAL.search(rest.split("?")[0]):
        raise UriInvalid("a path must not contain '..'")
    if scheme == "file":
        return Address(scheme, "", rest.strip("/"))
    if scheme == "hf":
        owner, _, below = rest.partition("/")
        name, _, path = below.partition("/")
        return Address(scheme, f"{owner}/{name}", path.strip("/"))
    place, _, path = rest.partition("/")
    if scheme in ("http", "https"):
        bare, mark, query = path.partition("?")
        return Address(scheme, place, f"{bare.strip('/')}{mark}{query}")
    return Address(scheme, place, path.strip("/"))
