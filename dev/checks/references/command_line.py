"""docs/reference/commands.md, generated from the parsers of `roadstead`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.checks.references.markdown import anchor, code, prose, table

CONFIGURATION = Path(__file__).parents[3] / "docs" / "configuration.md"
HEAD = """# Commands

Written from the command line's own help by `make references`. One image has all commands;
`roadstead COMMAND --help` prints the same.

Exit code 0 is success. Code 2 is an error that standard error names, such as a wrong argument or
setting.
"""


def reference(parser: argparse.ArgumentParser) -> str:
    """The page for a parser and all its subcommands."""
    return HEAD + "".join(_command(parser.prog, parser, _configured()))


def _configured() -> frozenset[str]:
    """The commands whose environment variables docs/configuration.md lists."""
    lines = CONFIGURATION.read_text().splitlines()
    return frozenset(line[4:-1] for line in lines if line.startswith("## `roadstead "))


def _command(
    name: str, parser: argparse.ArgumentParser, configured: frozenset[str]
) -> Iterator[str]:
    commands = _commands(parser)
    if not commands:
        yield _section(name, parser, configured)
    for below, each in commands:
        yield from _command(f"{name} {below}", each, configured)


def _commands(parser: argparse.ArgumentParser) -> Sequence[tuple[str, argparse.ArgumentParser]]:
    found = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return [item for each in found for item in each.choices.items()]


def _section(name: str, parser: argparse.ArgumentParser, configured: frozenset[str]) -> str:
    arguments = [each for each in parser._actions if not isinstance(each, argparse._HelpAction)]
    usage = " ".join([name, *map(_usage, arguments)])
    text = f"\n## `{name}`\n{_sentence(parser.description or '')}\n\n```\n{usage}\n```\n"
    if arguments:
        rows = (_row(parser, each) for each in arguments)
        text += "\n" + table(("argument", "default", "description"), rows)
    if name in configured:
        link = f"../configuration.md#{anchor(name)}"
        text += f"\nIt is configured by [environment variables]({link}).\n"
    return text


def _usage(action: argparse.Action) -> str:
    text = _spelling(action)[-1] if action.option_strings else _value(action)
    required = action.required and action.nargs != "?"
    return text if required else f"[{text}]"


def _spelling(action: argparse.Action) -> Sequence[str]:
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return [f"{each}{value}" for each in action.option_strings] or [_value(action)]


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper()


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> Sequence[str]:
    names = ", ".join(map(code, _spelling(action)))
    shown = action.nargs != 0 and action.default is not None and action.default not in ("", [])
    default = code(action.default) if shown else ""
    described = _sentence((action.help or "") % {**vars(action), "prog": parser.prog})
    others = ", ".join(map(code, _excluded_by(parser, action)))
    return (
        names,
        "*required*" if action.required else default,
        f"{described} Not together with {others}." if others else described,
    )


def _excluded_by(parser: argparse.ArgumentParser, action: argparse.Action) -> list[str]:
    groups = [
        each._group_actions
        for each in parser._mutually_exclusive_groups
        if action in each._group_actions
    ]
    return [each.option_strings[-1] for group in groups for each in group if each is not action]


def _sentence(text: str) -> str:
    return prose(text[:1].upper() + text[1:].rstrip(".") + ".")
