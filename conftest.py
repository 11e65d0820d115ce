"""Selection of tests by the rules that they prove, the table of both, and what runs beside what.

`pytest --rule R13` runs the tests of one rule, `-k R13` too (but R1 also finds R13 there), and
`pytest --rules --collect-only -q` prints which tests prove which rule, `--about "quarantin weight"`
those whose rule, name or docstring contains these words. The rules themselves are the headings of
docs/contributing/rules.md.
"""

from __future__ import annotations

import gc
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: What runs in a test, by the folder: decisions first, which newcomers read first.
KINDS = {
    "Decisions, in virtual time": "tests/unit/core/",
    "Other units": "tests/unit/",
    "Random faults, in virtual time": ("tests/simulation/", "tests/analysis/"),
    "The operator with a real API server": "tests/integration/",
    "Real pods": "e2e/",
    "Charts, documentation and tools": "",
}

#: Where the invariants of random stories are, and how one is reported as violated.
SIMULATION = "tests/simulation/"
_INVARIANT = re.compile(r"""\bbroken\(\s*"(R\d+)",\s*f?"([^"]+)\"""")

#: `## R7: What fails a candidate`: the number and the title of a rule, and whether it is planned.
_HEADING = re.compile(r"(?m)^## (R\d+): (.+?)( \(planned\))?$")


def _rules(page: str) -> dict[str, str]:
    """Returns the rules that a page defines, number → title, without those that are planned."""
    return {number: title for number, title, planned in _HEADING.findall(page) if not planned}


RULES = _rules((HERE / "docs" / "contributing" / "rules.md").read_text())


# Nothing that is imported or collected becomes garbage: to search it takes a third of the time to
# collect, and then some time in each full collection.
gc.disable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rule", action="append", default=[], choices=RULES, help="tests of a rule")
    parser.addoption("--rules", action="store_true", help="print which tests prove which rule")
    parser.addoption("--about", default="", help="words that select tests of --rules")


def rules_of(item: pytest.Item) -> set[str]:
    """The rules that a test is marked with."""
    return {name for mark in item.iter_markers("rule") for name in mark.args}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        unknown = rules_of(item) - RULES.keys()
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: no rule {', '.join(sorted(unknown))}")
        item.extra_keyword_matches.update(rules_of(item))
    wanted = set(config.getoption("--rule"))
    if wanted:
        dropped = [item for item in items if not rules_of(item) & wanted]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if rules_of(item) & wanted]
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Those on real pods take longest and mostly wait: beside others, they begin first.
        items.sort(key=lambda item: _place(item.path))


@cache
def _place(path: Path) -> int:
    """Where in the order a file stands: real pods, the API server, all else."""
    file = path.relative_to(HERE).as_posix()
    starts = ("e2e/", "tests/integration/", "tests/simulation/")
    return next(
        (place for place, start in enumerate(starts) if file.startswith(start)), len(starts)
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()
    if not session.config.getoption("--rules"):
        return
    about = session.config.getoption("--about").lower().split()
    proofs = _proofs(session.items)
    for name, title in RULES.items():
        wanted = [proof for proof in proofs[name] if proof.mentions(about, title)]
        if wanted:
            print(f"\n{name}  {title}: {sum(proof.cases for proof in wanted)} tests")
            _print_groups(wanted)
    missing = [name for name in RULES if name not in proofs]
    if missing:
        raise pytest.UsageError(f"no test proves {', '.join(missing)}")
    print()


@dataclass
class _Proof:
    """A test that proves a rule: what it states, and the number of its cases."""

    file: str
    about: str
    sentence: str
    details: str
    cases: int = 0

    def mentions(self, words: list[str], title: str) -> bool:
        """Returns whether the rule's title, file, name and docstring contain all of `words`."""
        text = f"{title} {self.file} {self.about} {self.sentence} {self.details}".lower()
        return all(word in text for word in words)


def _proofs(items: list[pytest.Item]) -> dict[str, list[_Proof]]:
    """Returns the proofs of each rule: one for each test, whose name is read as a sentence."""
    by_rule: dict[str, dict[str, _Proof]] = defaultdict(dict)
    for item in items:
        function, module = item.obj, item.getparent(pytest.Module)
        file = item.path.relative_to(HERE).as_posix()
        about = ((module and module.obj.__doc__) or "").strip().partition("\n")[0]
        sentence = _sentence(item)
        proof = _Proof(file, about, sentence, function.__doc__ or "")
        for name in rules_of(item):
            by_rule[name].setdefault(f"{file} {sentence}", proof).cases += 1
    for path in sorted((HERE / SIMULATION).glob("*.py")):
        text = path.read_text()
        about = text.strip('"').partition("\n")[0].removesuffix('"""')
        for name, violation in _INVARIANT.findall(text):
            file, sentence = f"{SIMULATION}{path.name}", re.sub(r"{[^}]*}", "…", violation)
            proof = _Proof(file, about, f"never in a random story: {sentence}", "")
            if name in by_rule:
                by_rule[name].setdefault(f"{file} {sentence}", proof)
    return {name: list(proofs.values()) for name, proofs in by_rule.items()}


def _sentence(item: pytest.Item) -> str:
    """Returns what a test states; for random stories, which part of the operator they are about."""
    name = item.obj.__name__
    if name != "runTest":
        return str(name).removeprefix("test_").replace("_", " ")
    story = item.getparent(pytest.Class)
    words = re.findall("[A-Z][a-z]+", story.name.removeprefix("Test")) if story else []
    return f"random stories violate no invariant: {' '.join(words).lower()}"


def _print_groups(proofs: list[_Proof]) -> None:
    """Prints tests by what runs in them, and then by file, whose docstring is the heading."""
    for kind, start in KINDS.items():
        own = [proof for proof in proofs if proof.file.startswith(start)]
        proofs = [proof for proof in proofs if not proof.file.startswith(start)]
        file = ""
        for proof in sorted(own, key=lambda proof: proof.file):
            if not file:
                print(f"  {kind}")
            if proof.file != file:
                file = proof.file
                print(f"    {file}: {proof.about}")
            cases = f"  ({proof.cases} cases)" if proof.cases > 1 else ""
            print(f"      - {proof.sentence}{cases}")
