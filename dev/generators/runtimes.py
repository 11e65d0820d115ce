"""Tables of built-in runtimes, from the runtimes themselves: one of all in
`docs/guides/runtimes.md`, and one for each page of `docs/guides/frameworks/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from canarium.render.runtime_catalog import RuntimeTemplate, built_in

_BEGIN, _END = "<!-- begin: made by `make generate` -->\n", "<!-- end -->\n"
_FACTS = re.compile(r"(?s)(<!-- runtime: ([\w-]+), made by `make generate` -->\n).*?<!-- end -->\n")


def filled(page: str) -> str:
    """`page` with the table between its marks. ValueError without the marks."""
    before, _, rest = page.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError("the page has lost the marks of its table")
    rows = "".join(_row(runtime) for _, runtime in sorted(built_in().items()))
    head = "| Runtime | Formats | Image | Ready when | Predicts at | Errors counted | Latency |\n"
    return f"{before}{_BEGIN}{head}|---|---|---|---|---|---|---|\n{rows}{_END}{after}"


def facts(page: str) -> str:
    """`page` with a table below each mark that names a runtime. ValueError without any."""
    filled, count = _FACTS.subn(lambda mark: f"{mark[1]}{_facts(mark[2])}{_END}", page)
    if not count:
        raise ValueError("the page names no runtime by a mark")
    return filled


def _facts(name: str) -> str:
    spec = built_in()[name].spec
    rows = {
        "Runtime": f"[{name}](../../../operator/canarium/runtimes/{name}.yaml)",
        "`spec.model.format`": ", ".join(f"`{one['name']}`" for one in spec.get("formats", ())),
        "Image": f"`{spec['image']}`" if "image" in spec else "yours",
        "Ready when": _ready(spec),
        "Predicts at": f"`{_plain(spec['predictPath'])}`" if "predictPath" in spec else "yours",
        "`metric: ErrorRate`": _measured(spec, "errors"),
        "`metric: LatencyP99`": _percentiles(spec),
        "Time to load": spec.get("startupBudget", ""),
    }
    table = "".join(f"| {key} | {value} |\n" for key, value in rows.items() if value)
    return f"| | |\n|---|---|\n{table}"


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


def _percentiles(spec: Mapping[str, Any]) -> str:
    kind = _measured(spec, "latency")
    return {"percentiles": "yes", "mean": "no, only `LatencyMean`"}.get(kind, kind)


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
