"""The command line of `roadstead check-gateway`; imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check-gateway` to the command line."""
    text = "ask a server through the gateway with a token, and check that it requires one"
    parser = commands.add_parser("check-gateway", help=text, description=text)
    parser.add_argument("--url", required=True, help="the gateway's URL, https://host[:port]")
    parser.add_argument(
        "--address", default="", help="host:port to connect to (default: the URL's)"
    )
    parser.add_argument("--ca-file", type=Path, help="PEM certificates that verify the gateway's")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--token-file", type=Path, help="a file with the token")
    key.add_argument("--secret-file", type=Path, help="the secret to sign a token with (HS256)")
    parser.add_argument("--issuer", default="roadstead", help="iss of a signed token")
    parser.add_argument("--audience", default="roadstead", help="aud of a signed token")
    parser.add_argument("--subject", default="check-gateway", help="sub of a signed token")
    parser.add_argument("--group", action="append", default=[], help="its group; may be repeated")
    parser.add_argument(
        "--server",
        default="",
        metavar="NAMESPACE/NAME",
        help="the ModelServe to ask (default: the first one that is ready and allows the token)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=60,
        metavar="SECONDS",
        help="how long a server may take to become reachable (default %(default)g)",
    )
    parser.set_defaults(command=_check)


def _check(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.authorities import Authorities
    from roadstead.cli.gateway_check import run
    from roadstead.settings import EnvReader, find_kubeconfig

    env = EnvReader(environ)
    authorities = Authorities.of_file(options.ca_file, otherwise=Authorities.read(env))
    env.done()
    return run(options, authorities, kubeconfig=find_kubeconfig(environ))
