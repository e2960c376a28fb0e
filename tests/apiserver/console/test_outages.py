"""The console while its ledger or the Kubernetes API is unavailable."""

from pathlib import Path

import pytest

from dev.console import sample_ledger, server
from dev.servers import postgres
from dev.servers.apiserver import ApiServer
from dev.servers.apiserver import running as running_api
from dev.servers.postgres import Postgres
from tests.support.console_browser import Browser
from tests.support.waiting import assert_eventually


@pytest.mark.usefixtures("console")
async def test_pages_recover_with_the_ledger(apiserver: ApiServer, tmp_path: Path) -> None:
    with (
        postgres.running() as ledger,
        server.running_console(apiserver.kubeconfig, ledger.dsn("reader"), tmp_path) as console,
    ):
        await sample_ledger.migrate_tables(ledger)
        async with Browser(console.origin) as browser:
            await browser.sign_in("alice")
            assert (await browser.get("/servers")).status == 200
            ledger.kill()
            page = await browser.get("/servers")
            assert page.status == 503
            assert "The ledger does not answer" in page.text
            assert (await browser.get("/sign-in")).status == 200
            ledger.start()

            async def recovered() -> bool:
                return (await browser.get("/servers")).status == 200

            await assert_eventually(recovered)


@pytest.mark.usefixtures("console")
async def test_unmigrated_ledger_is_reported_as_unavailable(
    apiserver: ApiServer, tmp_path: Path
) -> None:
    with (
        postgres.running() as ledger,
        server.running_console(apiserver.kubeconfig, ledger.dsn("reader"), tmp_path) as console,
    ):
        async with Browser(console.origin) as browser:
            await browser.sign_in("alice")
            assert (await browser.get("/servers")).status == 503


async def test_sign_out_without_api_server_deletes_cookie_and_warns(
    binaries: dict[str, Path], ledger: Postgres, tmp_path: Path
) -> None:
    (tmp_path / "api").mkdir()
    with running_api(binaries, tmp_path / "api") as api:
        await server.make_system(api)
        dsn = ledger.dsn("reader")
        with server.running_console(api.kubeconfig, dsn, tmp_path) as console:
            async with Browser(console.origin) as browser:
                await browser.sign_in("alice", "demo-users")
                api.process.kill()
                assert (await browser.get("/servers")).status == 200
                answer = await browser.ask("POST", "/sign-out")
                assert answer.status == 502
                assert "Only signed out here" in answer.text
                assert "Max-Age=0" in answer.headers["Set-Cookie"]
