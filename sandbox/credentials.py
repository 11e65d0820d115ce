"""Users of a sandbox's API server, and their kubeconfig files."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from sandbox.parts import write_whole

_ADMIN = "system:masters"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The tokens of one sandbox, in `tokens.csv` as the API server reads it."""

    folder: Path

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    def make(self, node: str) -> None:
        """Makes a token for every part of a cluster with the node `node`, unless it is done."""
        if self.tokens.exists():
            return
        users = {
            "admin": ("admin", _ADMIN),
            "controller-manager": ("system:kube-controller-manager", ""),
            "scheduler": ("system:kube-scheduler", ""),
            "kubelet": (f"system:node:{node}", "system:nodes"),
            "proxy": ("system:kube-proxy", ""),
            "coredns": ("coredns", _ADMIN),
            "kwok": ("kwok", _ADMIN),
            "argocd": ("argocd", _ADMIN),
            "contour": ("contour", _ADMIN),
            "prometheus": ("prometheus", _ADMIN),
        }
        lines = (
            f'{secrets.token_hex(16)},{user},{part},"{group}"'
            for part, (user, group) in users.items()
        )
        write_whole(self.tokens, "\n".join(lines) + "\n")
        self.tokens.chmod(0o600)

    def token(self, part: str) -> str:
        """The token of a part such as `kubelet`, or of `admin`."""
        for line in self.tokens.read_text().splitlines():
            token, _, owner, _ = line.split(",", 3)
            if owner == part:
                return token
        raise KeyError(part)

    def kubeconfig(self, part: str, path: Path, server: str, authority: Path) -> Path:
        """Writes the kubeconfig of a part to `path`; it needs no other file to be used."""
        authority_data = base64.b64encode(authority.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "sandbox",
                    "cluster": {"server": server, "certificate-authority-data": authority_data},
                }
            ],
            "users": [{"name": part, "user": {"token": self.token(part)}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": part}}],
            "current-context": "sandbox",
        }
        write_whole(path, json.dumps(config, indent=1))
        path.chmod(0o600)
        return path
