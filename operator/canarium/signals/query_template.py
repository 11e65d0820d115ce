"""Fills in variables of queries, such as `{{ revision }}`.

Jinja2 parses them, but a user's template may only name variables: no filters, calls or loops, so
none can loop or access anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from canarium.untrusted.quoting import quoted

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name)


class BadTemplate(ValueError):
    """A template is invalid; the message has the error and the available names."""


def filled(text: str, names: Mapping[str, str]) -> str:
    """Returns `text` with `names` filled in. Raises BadTemplate."""
    try:
        return _compiled(text).render(names)
    except TemplateError as error:
        known = ", ".join(sorted(names))
        raise BadTemplate(f"{quoted(error, 300)}; there are: {known}") from error
    except (RecursionError, SyntaxError, MemoryError) as error:
        raise BadTemplate("the template is nested too deeply") from error


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    tree = _ENVIRONMENT.parse(text)
    for node in _all(tree):
        if not isinstance(node, _ALLOWED):
            raise BadTemplate(f"only names such as {{{{ revision }}}}, not {type(node).__name__}")
    return _ENVIRONMENT.from_string(text)


def _all(node: nodes.Node) -> list[nodes.Node]:
    return [node, *(below for child in node.iter_child_nodes() for below in _all(child))]
