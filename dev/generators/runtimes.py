"""The table of built-in runtimes in `docs/guides/runtimes.md`, from the runtimes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.render.runtime_catalog import RuntimeTemplate, built_in

_BEGIN, _END = "<!-- begin: made by `make generate` -->\n", "<!-- end -->\n"


def filled(page: str) -> str:
    """`page` with the table between its marks. ValueError without the marks."""
    before, _, rest = page.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError("the page has lost the marks of its table")
    rows = "".join(_row(runtime) for _, runtime in sorted(built_in().items()))
    head = "| Runtime | Formats | Image | Ready when | Predicts at | Errors counted | Latency |\n"
    return f"{before}{_BEGIN}{head}|---|---|---|---|---|---|---|\n{rows}{_END}{after}"


def _row(runtime: RuntimeTemplate) -> str:
    spec = runtime.spec
    chosen = [f["name"] for f in spec.get("formats", ()) if f.get("autoSelect", True)]
    cells = (
        f"[{runtime.name}](../../operator/canarium/runtimes/{runtime.name}.yaml)",
        ", ".join(chosen) or "by name only",
        f"`{spec['image']}`" if "image" in spec else "yours",
        _ready(spec),
        f"`{_plain(spec['predictPath'])}`" if "predictPath" in spec else "yours",
        _measured(spec, "errors"),
        _measured(spec, "latency"),
    )
    return f"| {' | '.join(cells)} |\n"


def _ready(spec: Mapping[str, Any]) -> str:
    probe = spec.get("startup") or spec.get("readiness")
    if not probe:
        return "yours"
    return f"`{_plain(probe['path'])}`" if "path" in probe else "a command"


def _measured(spec: Mapping[str, Any], what: str) -> str:
    metric = (spec.get("metrics") or {}).get(what)
    if not metric:
        return "yours"
    if metric.get("unavailable"):
        return "no"
    if what == "errors":
        return "yes"
    return {"Histogram": "percentiles", "Total": "mean", "Summary": "mean"}[
        metric.get("kind", "Histogram")
    ]


def _plain(text: str) -> str:
    """The path with a word for each value that is put in."""
    for template, word in (
        ("{{ model.name }}", "NAME"),
        ("{{ parameters.model | default(model.name) }}", "NAME"),
        ('{{ parameters.method | default("predict") }}', "METHOD"),
        ('{{ parameters.route | default("") }}', "ROUTE"),
    ):
        text = text.replace(template, word)
    return text
