"""No decision reads text: facts and enumerated reasons decide, and texts are only written (R30).

The guard parses the packages that decide, and those that read other systems for them. A text is an
attribute that holds words for people, or the entry of that name in a raw object. It may be copied,
formatted, cut and joined. It may not be compared, searched, taken apart, used for an order, or
asked whether it is empty, nor be in the result of a function that a condition calls. Where a text
of another system is read, another one may replace it if it is empty.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

PACKAGE = Path(__file__).parents[3] / "operator" / "canarium"
#: Packages that read other systems.
EDGES = ("host", "kube", "signals", "sources")
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for package in ("api", "core", "engine", *EDGES)
    for path in (PACKAGE / package).rglob("*.py")
)
#: Names that hold words for people.
TEXTS = frozenset(
    {
        "advice",
        "by",
        "meaning",
        "message",
        "pause_text",
        "reaction",
        "unschedulable_message",
        "waiting_message",
    }
)
#: Where text is read on purpose: the API server has no code for a full quota or a failed webhook,
#: so its responses become reasons here, and nowhere else.
BOUNDARY = frozenset({"kube/rejections.py"})
#: Methods that search in a text or take it apart.
SEARCHES = frozenset(
    {
        "count",
        "endswith",
        "find",
        "index",
        "isdigit",
        "partition",
        "removeprefix",
        "removesuffix",
        "rfind",
        "rpartition",
        "rsplit",
        "split",
        "startswith",
    }
)
#: Functions that decide by their argument, and those of `re`.
ASKS = frozenset({"all", "any", "bool", "filter", "len", "max", "min", "sorted"})
MATCHES = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split"})


class _LocalCall(ast.Call):
    func: ast.Name


def reads(tree: ast.AST, *, edge: bool = False) -> Iterator[int]:
    """Yields the line of each expression that decides by a text for people."""
    asked: set[str] = set()
    for node in ast.walk(tree):
        parts = [] if edge and _replaces(node) else list(_deciding(node))
        for test in _conditions(node):
            parts += (part for part in ast.walk(test) if isinstance(part, ast.expr))
        asked |= {part.func.id for part in parts if _is_local_call(part)}
        yield from (part.lineno for part in parts if _is_text(part))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in asked:
            yield from (part.lineno for part in _results(node) if _is_text(part))


def _replaces(node: ast.AST) -> bool:
    """Returns whether the first text that is not empty is taken."""
    return isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)


def _is_local_call(node: ast.expr) -> TypeGuard[_LocalCall]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _results(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yields the values that a function returns: itself, or in a tuple, list or comprehension."""
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    while values:
        match values.pop():
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                values += elements
            case ast.ListComp(elt=element) | ast.SetComp(elt=element):
                values.append(element)
            case ast.GeneratorExp(elt=element) | ast.Starred(value=element):
                values.append(element)
            case ast.Call(func=ast.Name(id="tuple" | "list" | "set" | "frozenset"), args=[element]):
                values.append(element)
            case ast.IfExp(body=body, orelse=orelse):
                values += (body, orelse)
            case ast.expr() as value:
                yield value


def _conditions(node: ast.AST) -> Iterator[ast.expr]:
    """Yields the conditions of `node`, in which a text has no place at any depth."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield test
        case ast.Assert(test=test):
            yield test
        case ast.Compare():
            yield node
        case ast.comprehension(ifs=tests):
            yield from tests
        case ast.Match(subject=subject):
            yield subject
        case ast.match_case(guard=ast.expr() as guard):
            yield guard


def _deciding(node: ast.AST) -> Iterator[ast.expr]:
    """Yields the other expressions that decide in `node`."""
    match node:
        case ast.BoolOp(values=values):
            yield from values
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.keyword(arg="key", value=ast.Lambda(body=body)):
            yield from body.elts if isinstance(body, ast.Tuple) else [body]
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in SEARCHES:
            yield value
        case ast.Call(func=ast.Attribute(attr=attr), args=args) if attr in MATCHES:
            yield from args
        case ast.Call(func=ast.Name(id=name), args=args) if name in ASKS:
            yield from args
            for arg in args:
                if isinstance(arg, ast.GeneratorExp):
                    yield arg.elt


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in TEXTS
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key in TEXTS
        case ast.Subscript(value=value) | ast.NamedExpr(value=value):
            return _is_text(value)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
            return key in TEXTS
        case ast.Call(func=ast.Attribute(value=value, attr="strip" | "lower" | "upper")):
            return _is_text(value)
        case ast.BoolOp(values=values):
            return any(_is_text(value) for value in values)
    return False


@pytest.mark.rule("R30")
@pytest.mark.parametrize("name", sorted({*MODULES} - BOUNDARY))
def test_no_decision_reads_a_text(name: str) -> None:
    assert read_in(name) == []


@pytest.mark.parametrize("name", sorted(BOUNDARY))
def test_module_that_may_read_text_does(name: str) -> None:
    assert read_in(name) != []


def read_in(name: str) -> list[int]:
    tree = ast.parse((PACKAGE / name).read_text())
    return list(reads(tree, edge=name.startswith(EDGES)))


@pytest.mark.rule("R30")
@pytest.mark.parametrize(
    "source",
    [
        # Compared.
        '"gone" in pod.message',
        "a.message != b.message",
        'pause.by != "spec.paused"',
        "(a.reason, a.message) == (b.reason, b.message)",
        'condition["message"] == "gone"',
        "if is_quota(error.message): pass",
        "z = text not in after.message",
        "while 'quota' in error.message: pass",
        "x = 1 if found.message.lower() in known else 2",
        "y = [e for e in events if e.message == old.message]",
        # Searched or taken apart.
        'hold.message.startswith("a")',
        '(by or "").removeprefix("command ")',
        "PATTERN.match(c.waiting_message)",
        "match pod.message:\n  case 'deleted': pass",
        # Asked whether it is empty.
        "not status.message",
        "if status.message: pass",
        "while error.get('message'): pass",
        "c.waiting and c.waiting_message and c.waiting != CRASH_LOOP",
        'text = pod.unschedulable_message or "no node fits the pod"',
        "text = a if pod.message[:10] else b",
        "bool(status.message)",
        "any(one.message for one in rejections)",
        # Used for an order.
        "sorted(found, key=lambda one: one.message)",
        "found.sort(key=lambda one: (one.object, one.message))",
        # In what is compared.
        "def key(c): return c.name, c.message\nx = key(a) == key(b)",
        "def keys(s):\n  return [(c.name, c.message if c.bad else '') for c in s]\n"
        "x = old if keys(old) == keys(new) else new",
    ],
)
def test_decision_by_a_text_is_found(source: str) -> None:
    assert {1, 2} & {*reads(ast.parse(source))}


@pytest.mark.parametrize(
    "source",
    [
        'f"{cause.reason}: {cause.message}"',
        "text = rejection.message[:1024]",
        "sentences(result.message, text)",
        "if cause.reason == FAILED: pass",
        '": ".join(part for part in (c.waiting, c.waiting_message) if part)',
        "def fault(c): return c.reason, c.message\nreason, text = fault(c)",
    ],
)
def test_text_may_be_written(source: str) -> None:
    assert list(reads(ast.parse(source))) == []


def test_text_of_another_system_may_be_replaced_but_not_compared() -> None:
    assert list(reads(ast.parse("x = error.message or error.reason"), edge=True)) == []
    assert list(reads(ast.parse("if error.message or y: pass"), edge=True)) == [1, 1]
    assert list(reads(ast.parse("x = 'quota' in error.message"), edge=True)) == [1]
