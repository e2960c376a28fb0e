"""The command line of `roadstead ledger`; imports nothing heavy, since every command reads it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from roadstead.cli.command_environment import read_environment
from roadstead.settings import find_kubeconfig


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `ledger migrate` and `ledger verify` to the command line."""
    text = "update the tables of the ledger, or compare it with the cluster"
    parts = commands.add_parser("ledger", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )
    text = "create or update the tables, as their owner (ROADSTEAD_LEDGER_DSN_FILE)"
    migrating = parts.add_parser("migrate", help=text, description=text)
    _wait(migrating, 0, "how long to wait for Postgres")
    migrating.set_defaults(command=_migrate)
    text = "print the differences between cluster and ledger; exit code 1 if there are any"
    verifying = parts.add_parser("verify", help=text, description=text)
    _wait(verifying, 10, "how long Postgres may take to answer, and the ledger to catch up")
    verifying.set_defaults(command=_verify)


def _wait(parser: argparse.ArgumentParser, default: float, text: str) -> None:
    text = f"{text} (default %(default)g)"
    parser.add_argument("--wait", type=float, default=default, metavar="SECONDS", help=text)


def _migrate(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.authorities import Authorities
    from roadstead.cli.ledger_commands import run_migration
    from roadstead.ledger.retention import Retention
    from roadstead.ledger.schema import Roles

    env = read_environment(environ)
    dsn_file = env.file("ROADSTEAD_LEDGER_DSN_FILE")
    roles = Roles(
        writer=env.text("ROADSTEAD_LEDGER_WRITER_ROLE", "roadstead_writer"),
        reader=env.text("ROADSTEAD_LEDGER_READER_ROLE", "roadstead_reader"),
    )
    floor = Retention.read(env)
    authorities = Authorities.read(env)
    env.done()
    return run_migration(dsn_file, authorities, roles=roles, floor=floor, wait=options.wait)


def _verify(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.authorities import Authorities
    from roadstead.cli.ledger_commands import run_verification

    env = read_environment(environ)
    dsn_file = env.file("ROADSTEAD_LEDGER_DSN_FILE")
    authorities = Authorities.read(env)
    env.done()
    kubeconfig = find_kubeconfig(environ)
    return run_verification(dsn_file, authorities, kubeconfig=kubeconfig, wait=options.wait)
