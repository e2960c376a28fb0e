"""`roadstead webhooks`, found by the command line through its entry point."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

from roadstead import logs

HELP = "answer the API server's admission reviews until SIGTERM"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of `roadstead`."""
    commands.add_parser("webhooks", help=HELP, description=HELP).set_defaults(command=run)


def run(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM; raises InvalidSettings."""
    # Imported here, so that `roadstead fetch` does not import a web server.
    from roadstead_webhooks.webhook_server import serve
    from roadstead_webhooks.webhook_settings import WebhookSettings

    settings = WebhookSettings.from_env(environ)
    logs.configure(form=settings.log_format, level=settings.log_level)
    asyncio.run(serve(settings))
    return 0
