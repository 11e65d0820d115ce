"""`docs/reference/cli.md`: every verb of `kubectl modeldeploy` with its arguments and options."""

from __future__ import annotations

import re
from textwrap import dedent

import click

from canarium_cli.exits import Exit
from canarium_cli.main import VERBS, cli
from canarium_cli.program import PROGRAM

_HEAD = """<!-- Made from cli/canarium_cli by `make generate`: do not edit. -->
# kubectl modeldeploy

Tasks with their commands and what to expect: [the guide](../guides/command-line.md).
`kubectl modeldeploy VERB --help` prints the same as the section of a verb. Every request is one of
kubectl, the one on the PATH or the one that `KUBECTL` names. `NO_COLOR` switches colors off.

## Exit codes

| Code | Meaning |
|---|---|
"""
_AFTER_CODES = """
The section of a verb states where it uses a code in another sense.
"""


def page() -> str:
    """Returns the page's text."""
    context = click.Context(cli, info_name=PROGRAM)
    commands = {name: _command(context, name) for name in VERBS}
    shared = _shared(list(commands.values()))
    parts = [_HEAD, *map(_code, Exit), _AFTER_CODES]
    parts.append(_options("Options of every verb that uses a cluster", "", shared))
    for name, command in commands.items():
        own = [
            option
            for option in _listed(command)
            if _key(option) not in {_key(common) for common in shared}
        ]
        usage = " ".join((f"{PROGRAM} {name}", *_usage(context, command)))
        text = _prose(command.help or "")
        parts.append(_options(name, f"```\n{usage}\n```\n\n{text}\n", own))
    return "".join(parts)


def _code(code: Exit) -> str:
    return f"| {code.value} | {_cell(code.meaning)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _command(context: click.Context, name: str) -> click.Command:
    command = cli.get_command(context, name)
    assert command is not None
    return command


def _usage(context: click.Context, command: click.Command) -> list[str]:
    return command.collect_usage_pieces(click.Context(command, parent=context))


def _listed(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def _shared(commands: list[click.Command]) -> list[click.Option]:
    """The options that every verb has which has `--kubeconfig`."""
    connected = [
        command
        for command in commands
        if any("--kubeconfig" in option.opts for option in _listed(command))
    ]
    everywhere = set.intersection(*({_key(x) for x in _listed(one)} for one in connected))
    return [option for option in _listed(connected[0]) if _key(option) in everywhere]


def _key(option: click.Option) -> tuple[str, str]:
    return ", ".join(option.opts), option.help or ""


def _options(title: str, text: str, options: list[click.Option]) -> str:
    head = f"\n## {title}\n"
    head += f"\n{text}" if text else ""
    if not options:
        return head
    rows = "".join(f"| {_names(option)} | {_help(option)} |\n" for option in options)
    return f"{head}\n| Option | Meaning |\n|---|---|\n{rows}"


def _names(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {_metavar(option)}"
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{name}{value}`" for name in names)


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return ",".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


def _help(option: click.Option) -> str:
    text = _cell(option.help or "")
    default = option.default
    plain = (
        isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    )
    if plain and "default" not in text.lower() and not option.is_flag:
        text = f"{text} Default: {default}.".strip()
    return text


def _prose(help_text: str) -> str:
    """Returns a docstring as paragraphs, each on a line; those that click does not wrap as code."""
    return "\n\n".join(map(_paragraph, re.split(r"\n\s*\n", help_text.strip())))


def _paragraph(text: str) -> str:
    mark, _, lines = text.strip().partition("\n")
    return f"```\n{dedent(lines)}\n```" if mark == "\b" else " ".join(text.split())
