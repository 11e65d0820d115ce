"""The pages whose commands and manifests readers copy."""

from __future__ import annotations

from support.images import ROOT

#: Of the folder `docs`, the runbooks and all but those for contributors and the references.
FOR_READERS = (
    "README.md",
    "charts/canarium/README.md",
    "cli/README.md",
    "examples/README.md",
    "docs/reference/alerts.md",
    *sorted(
        path.relative_to(ROOT).as_posix()
        for path in (*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").rglob("*.md"))
    ),
)
