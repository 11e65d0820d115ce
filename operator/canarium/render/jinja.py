"""Renders string leaves as Jinja2 templates, whose cost is bounded before they run.

A leaf needs values, defaults and conditions. Only such constructs are allowed, by an allow-list: no
loops, macros, calls, assignments, multiplication or formats with a width. Each filter, sum and
joined text is limited to the maximum length of a result. A template then costs at most its own
length times that, without a timeout; a loop is rejected even if it would never run. Attributes
resolve to entries of the context only, never to Python attributes.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from types import TracebackType
from typing import Any
from urllib.parse import quote as url_quote

from jinja2 import (
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from canarium.api.reasons import SpecReason
from canarium.render.errors import RuntimeInvalid

#: Maximum characters of a template, and of its result.
LONGEST_SOURCE = 8_192
LONGEST_RESULT = 65_536
#: Maximum characters of all templates of a runtime, and of their results. The largest built-in
#: runtime has 500; the worst templates found take 25 ms per 1,000 characters, on the event loop.
ALL_SOURCES = 8_192
ALL_RESULTS = 262_144
_REMEMBERED = 2_048

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr,
    nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg,
    nodes.Add, nodes.Sub, nodes.Concat,
)  # fmt: skip
_TESTS = frozenset({"defined", "undefined", "none", "true", "false", "string", "number"})
_WORDS: dict[type[nodes.Node], str] = {
    nodes.For: "a loop",
    nodes.Call: "a call",
    nodes.Macro: "a macro",
    nodes.CallBlock: "a call",
    nodes.Assign: "an assignment",
    nodes.AssignBlock: "an assignment",
    nodes.Mul: "a multiplication",
    nodes.Pow: "a power",
    nodes.Mod: "the operator %",
}
#: An escape such as `\\ud800` in a template: the API server's JSON cannot hold it.
_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON = re.compile(r"\s*[\[{](?![{%#])")


class _Missing(StrictUndefined):
    """An undefined name; its message is the name itself."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return str(self._undefined_name)


class _TooLong(Exception):
    """A part of a result exceeds the maximum length."""


def _within(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_RESULT:
        raise _TooLong
    return value


def _joined(parts: Iterable[Any]) -> str:
    texts, length = [], 0
    for part in parts:
        texts.append(str(part))
        length += len(texts[-1])
        if length > LONGEST_RESULT:
            raise _TooLong
    return "".join(texts)


class _Generator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class _Environment(ImmutableSandboxedEnvironment):
    """Resolves names to entries of the context only; limits sums and joined texts."""

    code_generator_class = _Generator
    concat = staticmethod(_joined)
    intercepted_binops = frozenset({"+"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return _within(super().call_binop(context, operator, left, right))

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        if isinstance(obj, StrictUndefined):
            # An attribute of an undefined value reports that value.
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))


def _default(value: Any, default: Any = "", boolean: bool = False) -> Any:
    missing = isinstance(value, StrictUndefined)
    return default if missing or (boolean and not value) else value


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function` as a filter that takes the context, so that Jinja does not run it at
    compile time."""

    @pass_context
    @wraps(function)
    def bounded(context: Context, value: Any, *more: Any, **named: Any) -> Any:
        if isinstance(value, StrictUndefined) and function is not _default:
            str(value)  # Raises UndefinedError.
        return _within(function(value, *more, **named))

    return bounded


#: Each returns at most a few characters for one.
_FILTERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "tojson": lambda value: json.dumps(value, ensure_ascii=False),
    "quote": lambda value: shlex.quote(str(value)),
    "urlencode": lambda value: url_quote(str(value), safe=""),
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "trim": lambda value: str(value).strip(),
    "int": int,
    "string": str,
}

_ENVIRONMENT = _Environment(
    # Jinja's optimizer is quadratic in the length of a chain, and has no effect here.
    optimized=False,
    undefined=_Missing,
    autoescape=False,
    cache_size=0,
)
_ENVIRONMENT.filters = {name: _bounded(function) for name, function in _FILTERS.items()}
_ENVIRONMENT.globals = {}


def render(source: str, context: Mapping[str, Any], where: str, *, json_leaf: bool = True) -> str:
    """Renders `source` with the values of `context`; `where` is the leaf's path, for errors.

    A leaf that is itself JSON (it begins with a brace or bracket) must quote every value with
    `| tojson`, and the result must be JSON; not with `json_leaf=False`. Raises RuntimeInvalid.
    """
    if "{" not in source:
        return source
    is_json = json_leaf and bool(_JSON.match(source))
    template = _compiled(source, where, is_json)
    try:
        text = template.render(context)
    except UndefinedError as error:
        message = _undefined(source, str(error.message), context)
        raise RuntimeInvalid(SpecReason.TEMPLATE_INVALID, f"{where}: {message}") from error
    except TemplateError as error:
        raise RuntimeInvalid(SpecReason.TEMPLATE_INVALID, f"{where}: {error.message}") from error
    except _TooLong as error:
        text = f"{where}: renders to over {LONGEST_RESULT} characters"
        raise RuntimeInvalid(SpecReason.TEMPLATE_TOO_LARGE, text) from error
    except (ArithmeticError, TypeError, ValueError) as error:
        message = f"{where}: {_line(error.__traceback__)}{error}"
        raise RuntimeInvalid(SpecReason.TEMPLATE_INVALID, message) from error
    if not text.isascii() and _SURROGATE.search(text):
        message = f"{where}: renders half of a surrogate pair, which no text may contain"
        raise RuntimeInvalid(SpecReason.TEMPLATE_INVALID, message)
    if is_json:
        try:
            json.loads(text)
        except ValueError as error:
            raise RuntimeInvalid(
                SpecReason.TEMPLATE_INVALID,
                f"{where}: starts like JSON but is not valid JSON: {error}",
            ) from error
    return text


def leaves(node: Any, context: Mapping[str, Any], where: str) -> Any:
    """Returns `node` with every string in it rendered; keys are not templates.

    Raises RuntimeInvalid.
    """
    return _leaves(node, context, where, _Lengths())


@dataclass
class _Lengths:
    """The total length of the templates in a tree, and of their results."""

    sources: int = 0
    results: int = 0


def _leaves(node: Any, context: Mapping[str, Any], where: str, whole: _Lengths) -> Any:
    if isinstance(node, Mapping):
        return {k: _leaves(value, context, f"{where}.{k}", whole) for k, value in node.items()}
    if isinstance(node, list):
        return [_leaves(value, context, f"{where}[{i}]", whole) for i, value in enumerate(node)]
    if not isinstance(node, str) or "{" not in node:
        return node
    whole.sources += len(node)
    if whole.sources > ALL_SOURCES:
        text = f"{where}: the templates of a runtime have over {ALL_SOURCES} characters together"
        raise RuntimeInvalid(SpecReason.TEMPLATE_TOO_LARGE, text)
    text = render(node, context, where)
    whole.results += len(text)
    if whole.results > ALL_RESULTS:
        text = f"{where}: the templates of a runtime render to over {ALL_RESULTS} characters"
        raise RuntimeInvalid(SpecReason.TEMPLATE_TOO_LARGE, text)
    return text


def _compiled(source: str, where: str, is_json: bool) -> Template:
    compiled = _checked(source, is_json)
    if isinstance(compiled, Template):
        return compiled
    reason, text = compiled
    raise RuntimeInvalid(reason, f"{where}: {text}")


@lru_cache(_REMEMBERED)
def _checked(source: str, is_json: bool) -> Template | tuple[str, str]:
    """Returns the template, or the reason and message why it is invalid; nothing of it has run."""
    if len(source) > LONGEST_SOURCE:
        return SpecReason.TEMPLATE_TOO_LARGE, f"has over {LONGEST_SOURCE} characters"
    try:
        tree = _ENVIRONMENT.parse(source)
        fault = _fault(tree, embedded=is_json)
        return fault or _ENVIRONMENT.from_string(source)
    except TemplateSyntaxError as error:
        return SpecReason.TEMPLATE_INVALID, f"line {error.lineno}: {error.message}"
    except (RecursionError, SyntaxError, MemoryError):
        # Raised by Jinja's parser, or by Python's for the code that Jinja generates.
        return SpecReason.TEMPLATE_UNBOUNDED, "is nested too deeply"
    except (ValueError, OverflowError):
        return SpecReason.TEMPLATE_INVALID, "has a number with too many digits"


def _line(trace: TracebackType | None) -> str:
    """Returns the last template line in a traceback, as Jinja records it."""
    lines = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f"line {lines[-1]}: " if lines else ""


def _undefined(source: str, name: str, context: Mapping[str, Any]) -> str:
    """Returns the full path of an undefined `name`, and the names that are defined there."""
    for node in _ENVIRONMENT.parse(source).find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):
        path = _path(node)
        if not path or path[-1] != name:
            continue
        known: Any = context
        for part in path[:-1]:
            known = known.get(part) if isinstance(known, Mapping) else None
        if isinstance(known, Mapping) and name not in known:
            there = ", ".join(sorted(map(str, known))) or "nothing"
            hint = f"; set spec.runtime.{'.'.join(path)}" if path[0] == "parameters" else ""
            return f"line {node.lineno}: {'.'.join(path)} is undefined; there is {there}{hint}"
    return f"{name} is undefined"


def _path(node: nodes.Node) -> tuple[str, ...]:
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        above = _path(node.node)
        return (*above, node.attr) if above else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        above = _path(node.node)
        return (*above, str(node.arg.value)) if above else ()
    return ()


def _fault(tree: nodes.Template, *, embedded: bool) -> tuple[str, str] | None:
    """Returns the first construct that is not allowed."""
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            known = ", ".join(sorted(_FILTERS))
            return (
                SpecReason.TEMPLATE_UNBOUNDED,
                f"line {node.lineno}: no filter {node.name}; known: {known}",
            )
        if isinstance(node, nodes.Test) and node.name not in _TESTS:
            known = ", ".join(sorted(_TESTS))
            return (
                SpecReason.TEMPLATE_UNBOUNDED,
                f"line {node.lineno}: no test {node.name}; known: {known}",
            )
        if not isinstance(node, (*_ALLOWED, nodes.Keyword)):
            what = _WORDS.get(type(node), type(node).__name__.lower())
            text = "only values, conditions and filters can be bounded in time and size"
            return (
                SpecReason.TEMPLATE_UNBOUNDED,
                f"line {node.lineno}: {what} is not allowed: {text}",
            )
        if embedded and isinstance(node, nodes.Output):
            for part in node.nodes:
                quoted = isinstance(part, nodes.Filter) and part.name == "tojson"
                if not quoted and not isinstance(part, nodes.TemplateData):
                    text = "a value inside JSON must end with `| tojson`"
                    return SpecReason.TEMPLATE_INVALID, f"line {part.lineno}: {text}"
    return None
