"""No decision reads text: facts and enumerated reasons decide, and texts are only written (R30).

The guard parses the packages that decide. A text is an attribute that holds words for people, or
the entry of that name in a raw object. It may be copied, formatted, cut and joined. It may not be
compared, searched, taken apart, used for an order, or asked whether it is empty.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "operator" / "canarium"
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for package in ("api", "core", "engine")
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
BOUNDARY = frozenset({"engine/apply/dry_run.py", "engine/apply/rejections.py"})
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


def reads(tree: ast.AST) -> Iterator[int]:
    """Yields the line of each expression that decides by a text for people."""
    for node in ast.walk(tree):
        parts = list(_deciding(node))
        for test in _conditions(node):
            parts += (part for part in ast.walk(test) if isinstance(part, ast.expr))
        yield from (part.lineno for part in parts if _is_text(part))


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
    assert list(reads(ast.parse((PACKAGE / name).read_text()))) == []


def test_modules_that_may_read_text_exist() -> None:
    assert BOUNDARY - {*MODULES} == set()


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
        "any(one.message for one in refusals)",
        # Used for an order.
        "sorted(found, key=lambda one: one.message)",
        "found.sort(key=lambda one: (one.object, one.message))",
    ],
)
def test_decision_by_a_text_is_found(source: str) -> None:
    assert 1 in set(reads(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        'f"{cause.reason}: {cause.message}"',
        "text = rejection.message[:1024]",
        "sentences(result.message, text)",
        "if cause.reason == FAILED: pass",
        '": ".join(part for part in (c.waiting, c.waiting_message) if part)',
    ],
)
def test_text_may_be_written(source: str) -> None:
    assert list(reads(ast.parse(source))) == []
