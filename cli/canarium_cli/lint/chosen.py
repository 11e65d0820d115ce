"""The one ModelDeployment of a file that a verb is about, checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass

from canarium_cli.exits import usage
from canarium_cli.lint.linter import MODEL, is_ours, lint
from canarium_cli.manifests.documents import Document
from canarium_cli.manifests.finding import Level
from canarium_cli.manifests.reading import read


@dataclass(frozen=True, slots=True)
class Chosen:
    """A valid ModelDeployment, and all objects of its file."""

    model: Document
    documents: list[Document]


def chosen(file: str, name: str | None = None) -> Chosen:
    """Returns the ModelDeployment in `file`, the one called `name` where there are several.

    Raises CliError if the file cannot be read, contains an error, or has no such model.
    """
    documents, findings = read([file])
    errors = [
        finding
        for finding in (*findings, *lint(documents))
        if finding.level is Level.ERROR
    ]  # fmt: skip
    if errors:
        more = f" There are {len(errors) - 1} more errors:" if len(errors) > 1 else ""
        raise usage(f"{errors[0]}{more} Run `kubectl modeldeploy lint {file}`.")
    models = [document for document in documents if is_ours(document) and document.kind == MODEL]
    if not models:
        raise usage(f"{file}: no ModelDeployment. Name a file that has one.")
    named = [document for document in models if name in (None, document.name)]
    names = ", ".join(document.name for document in models)
    if not named:
        raise usage(f"{file}: no ModelDeployment {name}. It has {names}.")
    if len(named) > 1:
        raise usage(f"{file}: several ModelDeployments: {names}. Choose one with --name.")
    return Chosen(named[0], documents)
