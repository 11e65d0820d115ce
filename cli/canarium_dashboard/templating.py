"""The environment of the templates."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from canarium.view.ages import short


@cache
def environment() -> Environment:
    """Returns the environment of the templates: everything is escaped, nothing may be missing.

    All applications of a process share it, so that each template is compiled once.
    """
    created = Environment(
        loader=PackageLoader("canarium_dashboard"),
        auto_reload=False,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    created.filters["age"] = short
    created.filters["value"] = lambda x: "–" if x is None else f"{x:.4g}"
    created.filters["part"] = lambda text: quote(str(text), safe="")
    return created
