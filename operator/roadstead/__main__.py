"""The command line: one image, with a command for each component."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from roadstead import logs
from roadstead.cli import (
    gateway_check_options,
    ledger_options,
    releasing_options,
    secret_generation_options,
    token_options,
)
from roadstead.errors import ClusterRestored, LeaseLost, RoadsteadError
from roadstead.settings import EnvReader, find_kubeconfig

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a RoadsteadError is printed to standard error, with exit code 2."""
    options = command_parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options, os.environ)
    except RoadsteadError as error:
        print(f"roadstead: {error}", file=sys.stderr)
        return 2


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="roadstead",
        description="Serves GGUF language models on premises, under contract.",
        epilog="Environment variables ROADSTEAD_* configure the components: docs/configuration.md",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("operator", _operator, "reconcile Models and ModelServes until SIGTERM"),
        (
            "transfer",
            _transfer,
            "transfer one model to the store: a job on stdin, events on stdout",
        ),
        ("fetch", _fetch, "download a model from the store to this pod, and verify it"),
        ("quant", _quant, "serve presigned URLs of the models in a source store"),
        ("webhooks", _webhooks, "answer the API server's admission reviews until SIGTERM"),
        ("forward-auth", _forward_auth, "decide for the gateway about each request until SIGTERM"),
        ("console", _console, "serve the web console until SIGTERM"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(command=run)
    _template_parser(commands)
    token_options.add_parser(commands)
    ledger_options.add_parser(commands)
    releasing_options.add_parser(commands)
    gateway_check_options.add_parser(commands)
    secret_generation_options.add_parser(commands)
    return parser


def _template_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "print a complete ModelServe for a stored Model"
    parser = commands.add_parser("template", help=text, description=text)
    parser.add_argument("model", help="the Model's name, as `kubectl get models` shows it")
    parser.add_argument("--name", default="", help="the ModelServe's name (default: the Model's)")
    parser.add_argument("-n", "--namespace", default="default", help="the ModelServe's namespace")
    parser.set_defaults(command=_template)


def _configure_logs(environ: Mapping[str, str]) -> None:
    env = EnvReader(environ)
    form = env.log_format("console")
    level = env.log_level()
    subject = env.text("ROADSTEAD_LOG_OBJECT", "")
    env.done()
    logs.configure(form=form, level=level, subject=subject)


def _operator(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.controllers.operator_settings import OperatorSettings
    from roadstead.process.operator import run

    settings = OperatorSettings.from_env(environ)
    logs.configure(form=settings.log_format, level=settings.log_level)
    try:
        asyncio.run(run(settings))
    except (ClusterRestored, LeaseLost) as error:
        # The process must not continue: the kubelet restarts it with empty caches.
        print(f"roadstead: {error}", file=sys.stderr)
        return 1
    return 0


def _transfer(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.transfer.pod import Pod
    from roadstead.transfer.tether import tether
    from roadstead.transfer.transfer_command import run
    from roadstead.transfer.transfer_settings import TransferSettings

    _configure_logs(environ)
    settings = tether(TransferSettings.from_env(environ), environ)
    pod = Pod.read(environ)
    if pod is not None:
        return pod.run(settings, sys.stdout.buffer)
    return run(settings, sys.stdin.buffer, sys.stdout.buffer)


def _fetch(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.fetch.fetch_command import run
    from roadstead.fetch.fetch_settings import FetchSettings

    _configure_logs(environ)
    return run(FetchSettings.from_env(environ))


def _quant(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.source.quant_service import run
    from roadstead.source.source_settings import QuantSettings

    _configure_logs(environ)
    return run(QuantSettings.from_env(environ))


def _webhooks(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead_webhooks.webhook_server import serve
    from roadstead_webhooks.webhook_settings import WebhookSettings

    settings = WebhookSettings.from_env(environ)
    logs.configure(form=settings.log_format, level=settings.log_level)
    asyncio.run(serve(settings))
    return 0


def _forward_auth(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.forwardauth.auth_server import serve
    from roadstead.forwardauth.auth_settings import ForwardAuthSettings

    settings = ForwardAuthSettings.from_env(environ)
    logs.configure(form=settings.log_format, level=settings.log_level)
    asyncio.run(serve(settings))
    return 0


def _console(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.console.console_server import serve
    from roadstead.console.console_settings import ConsoleSettings

    settings = ConsoleSettings.from_env(environ)
    logs.configure(form=settings.log_format, level=settings.log_level)
    asyncio.run(serve(settings))
    return 0


def _template(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from roadstead.cli.template import print_template

    asyncio.run(
        print_template(
            options.model,
            name=options.name,
            namespace=options.namespace,
            kubeconfig=find_kubeconfig(environ),
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
