"""A console for the session, over a ledger with the servers of two tenants."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev.console import sample_ledger, samples, server
from dev.console.server import ConsoleProcess
from dev.servers import oidc, postgres
from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from dev.servers.process import free_ports
from roadstead.ledger.records import Record
from tests.support.console_browser import Browser

CLIENT = "roadstead-console"
ALICES = samples.serve("gemma")
BOBS = samples.serve("secret-plan", namespace="other", contract="other", model="other-model")


@pytest.fixture(scope="package")
def ledger() -> Iterator[Postgres]:
    """A migrated Postgres with rows."""
    with postgres.running() as running:
        asyncio.run(sample_ledger.migrate_tables(running))
        asyncio.run(sample_ledger.write(running, _records()))
        yield running


@pytest.fixture(scope="package")
def console(
    apiserver: ApiServer, ledger: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConsoleProcess]:
    """A console for all tests of the package."""
    asyncio.run(server.make_system(apiserver))
    folder = tmp_path_factory.mktemp("console")
    dsn = ledger.dsn("reader")
    with server.running_console(apiserver.kubeconfig, dsn, folder) as running:
        yield running


@pytest.fixture(scope="package")
def provided(
    apiserver: ApiServer,
    ledger: Postgres,
    console: ConsoleProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ConsoleProcess]:
    """A console with an OpenID provider."""
    with running_with_provider(apiserver, ledger, tmp_path_factory.mktemp("provided")) as running:
        yield running


@contextlib.contextmanager
def running_with_provider(
    apiserver: ApiServer,
    ledger: Postgres,
    folder: Path,
    *,
    client: str = CLIENT,
    method: str = "none",
    secret: str = "",
) -> Iterator[ConsoleProcess]:
    """Run a console and its provider, with this client secret."""
    port, provider_port = free_ports(2)
    redirect = f"http://localhost:{port}/oidc/callback"
    given = {"client": client, "method": method, "secret": secret}
    secret_file = folder / "client-secret"
    secret_file.write_text(secret)
    with oidc.running(provider_port, redirect=redirect, **given) as issuer:
        entry = {"issuer": issuer, "audience": client, "jwksUrl": f"{issuer}/jwks"}
        issuers = folder / "provided.json"
        issuers.write_text(json.dumps([{**entry, "allowHttp": True}]))
        with server.running_console(
            apiserver.kubeconfig,
            ledger.dsn("reader"),
            folder,
            port=port,
            ROADSTEAD_TOKEN_ISSUERS_FILE=str(issuers),
            ROADSTEAD_CONSOLE_OIDC_ISSUER=issuer,
            ROADSTEAD_CONSOLE_OIDC_CLIENT_ID=client,
            ROADSTEAD_CONSOLE_OIDC_CLIENT_SECRET_FILE=str(secret_file) if secret else "",
        ) as running:
            yield running


@pytest.fixture
async def browser(console: ConsoleProcess) -> AsyncIterator[Browser]:
    """A browser without a session."""
    async with Browser(console.origin) as opened:
        yield opened


@pytest.fixture
async def alice(browser: Browser) -> Browser:
    """Alice, signed in, in demo-users."""
    await browser.sign_in("alice", "demo-users")
    return browser


@pytest.fixture
async def bob(console: ConsoleProcess) -> AsyncIterator[Browser]:
    """Bob, signed in, of the other tenant."""
    async with Browser(console.origin) as opened:
        await opened.sign_in("bob", "other-users")
        yield opened


def _records() -> list[Record]:
    return [
        samples.record(ALICES),
        samples.record(BOBS),
        samples.record(samples.contract("demo", models=["gemma-*"])),
        samples.record(samples.contract("other", group="other-users", models=["other-*"])),
        samples.record(samples.model("gemma-3-270m")),
        samples.record(samples.model("other-model")),
        *(samples.sample(ALICES, 60.0 * minute) for minute in range(30, -1, -1)),
        samples.decision(ALICES, 100, message="spec.replicas: 5 replicas are too many"),
    ]
