"""The reference of the commands."""

from __future__ import annotations

import argparse

from dev.checks.references.command_line import reference
from roadstead.__main__ import command_parser


def page() -> str:
    """The reference of a small program."""
    parser = argparse.ArgumentParser(prog="tool")
    commands = parser.add_subparsers()
    command = commands.add_parser("do", description="do it").add_subparsers().add_parser("now")
    command.description = "do it now"
    command.add_argument("thing", help="what to do")
    command.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="how long")
    either = command.add_mutually_exclusive_group()
    either.add_argument("-f", "--fast", action="store_true", help="quickly")
    either.add_argument("--mode", choices=["a", "b"], help="a|b of %(prog)s")
    return reference(parser)


def test_subcommand_has_a_section_with_its_usage() -> None:
    assert "## `tool do now`\nDo it now.\n" in page()
    assert "\ntool do now THING [--wait SECONDS] [--fast] [--mode {a,b}]\n" in page()
    assert "## `tool do`\n" not in page()


def test_argument_is_listed_with_its_default() -> None:
    assert "| `THING` | *required* | What to do. |" in page()
    assert "| `--wait SECONDS` | `0` | How long. |" in page()


def test_mutually_exclusive_arguments_are_marked() -> None:
    assert "| `-f`, `--fast` |  | Quickly. Not together with `--mode`. |" in page()
    assert "A\\|b of tool do now. Not together with `--fast`." in page()


def test_every_command_of_the_product_is_listed() -> None:
    found = reference(command_parser())
    for name in ("operator", "token issue", "ledger verify", "webhooks", "forward-auth"):
        assert f"\n## `roadstead {name}`\n" in found
