"""Compares the ledger with the cluster."""

from typing import Any

from roadstead.cli.ledger_commands import compare
from roadstead.kube.kube_client import KubeClient
from tests.support.builders.objects import Raw
from tests.support.ledger import Ledger
from tests.support.operator.namespace import Operated
from tests.support.waiting import assert_eventually

ROWS = "SELECT * FROM server_records WHERE name = $1"


async def differences(operated: Operated, ledger: Ledger) -> list[str]:
    """The lines of `roadstead ledger verify`."""
    client = await KubeClient.connect(str(operated.kubeconfig))
    try:
        return await compare(client, ledger.dsn_file("reader"))
    finally:
        await client.close()


async def wait_until_equal(operated: Operated, ledger: Ledger) -> None:
    """Wait until there is no difference."""

    async def equal() -> bool:
        assert await differences(operated, ledger) == []
        return True

    await assert_eventually(equal)


async def row(ledger: Ledger, serve: Raw) -> dict[str, Any]:
    """The record of a ModelServe."""
    return await ledger.row(ROWS, serve["metadata"]["name"])
