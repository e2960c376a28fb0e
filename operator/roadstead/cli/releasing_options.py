"""The command line of `roadstead release-models`; imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from roadstead.cli.command_environment import read_environment
from roadstead.errors import InvalidSettings
from roadstead.settings import find_kubeconfig

OPERATOR: Final = "roadstead-system/roadstead-operator"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `release-models` to the command line."""
    text = "after the operator is uninstalled: remove its finalizer from every Model"
    parser = commands.add_parser("release-models", help=text, description=text)
    parser.add_argument(
        "--operator",
        default=OPERATOR,
        metavar="NAMESPACE/LEASE",
        help="the operator's namespace and its Lease, which is deleted (default: %(default)s)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=60,
        metavar="SECONDS",
        help="how long to wait for its pods to terminate (default %(default)g)",
    )
    parser.set_defaults(command=_release)


def _release(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.cli.releasing import run

    namespace, _, lease = options.operator.partition("/")
    if not namespace or not lease:
        raise InvalidSettings(f"--operator: {options.operator!r} is not NAMESPACE/LEASE")
    read_environment(environ).done()
    return run(namespace, lease, kubeconfig=find_kubeconfig(environ), wait=options.wait)
