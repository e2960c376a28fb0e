"""The command line of `roadstead token`; imports nothing heavy, since every command reads it."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roadstead.settings import duration

SECRET: Final = "roadstead-system/roadstead-jwt"  # noqa: S105 - where the secret is, not what it is


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `token issue` and `token inspect` to the command line."""
    text = "issue or inspect a token"
    parts = commands.add_parser("token", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )
    _issue_parser(parts)
    _inspect_parser(parts)


def _issue_parser(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "print a token, signed with HS256"
    parser = parts.add_parser("issue", help=text, description=text)
    parser.add_argument("--subject", required=True, help="who the token is for (sub)")
    parser.add_argument("--group", action="append", default=[], help="a group; may be repeated")
    parser.add_argument("--scope", action="append", default=[], help="a scope; may be repeated")
    parser.add_argument(
        "--ttl", type=_duration, default="10m", help="how long it is valid, such as 90s, 10m, 2h"
    )
    where = "default: the Secret's annotation, else roadstead"
    parser.add_argument("--issuer", help=f"the issuer, iss ({where})")
    parser.add_argument("--audience", help=f"the audience, aud ({where})")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--secret-file", type=Path, help="the secret, 32 bytes at least")
    source.add_argument(
        "--secret",
        default=SECRET,
        metavar="NAMESPACE/NAME",
        help="without a file: the Secret whose key `secret` is read, with KUBECONFIG"
        " (default: %(default)s)",
    )
    parser.set_defaults(command=_issue)


def _inspect_parser(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "print a token's or receipt's claims; exit code 1 if it has expired or is not valid"
    parser = parts.add_parser("inspect", help=text, description=text)
    parser.add_argument(
        "token", nargs="?", default="-", help="the token; - reads it from standard input (default)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--secret-file", type=Path, help="verify with this HS256 secret")
    source.add_argument("--public-key-file", type=Path, help="verify with this PEM public key")
    parser.set_defaults(command=_show)


def _issue(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.cli.token import issue

    return issue(options, environ)


def _show(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from roadstead.cli.token import show

    return show(options)


def _duration(text: str) -> datetime.timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
