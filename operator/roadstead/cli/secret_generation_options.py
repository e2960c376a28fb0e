"""The command line of `roadstead generate-secrets`; imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from roadstead.cli.command_environment import read_environment
from roadstead.settings import find_kubeconfig


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `generate-secrets` to the command line."""
    text = "create the Secrets of a release that are missing; the chart's Job runs it"
    parser = commands.add_parser("generate-secrets", help=text, description=text)
    parser.add_argument(
        "secrets",
        metavar="JSON",
        help="a list of Secrets with their values, which are random texts: "
        '[{"name": "roadstead-jwt", "values": {"secret": {"size": 48}}}]',
    )
    parser.add_argument(
        "-n", "--namespace", default="roadstead-system", help="where (default: %(default)s)"
    )
    parser.set_defaults(command=_generate)


def _generate(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.cli.secret_generation import run

    read_environment(environ).done()
    return run(options.secrets, options.namespace, kubeconfig=find_kubeconfig(environ))
