"""The dashboards of an active cluster: each query returns data, each link works."""

from __future__ import annotations

import base64
import datetime
import json
import math
import re
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import yaml

from dev.checks.metrics import metrics
from dev.demo import admission, namespaces
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from dev.servers.prometheus import Prometheus, promtool
from tests.e2e.conftest import as_admin
from tests.e2e.gateway.conftest import delete_contract, until_routed_everywhere
from tests.e2e.gateway.connection import ask
from tests.e2e.gateway.site import Gateway, Issuer
from tests.e2e.scraping import PARTS, RULES, scraped, targets
from tests.e2e.serves import USERS, Serves, make_serve
from tests.support.dashboards import Query, filled, queries
from tests.support.waiting import assert_eventually, wait_until

WINDOW_SECONDS = 900.0
PATIENCE = 180
"""Seconds: some metrics come with the next probe of the gateway, about once a minute."""
RUNTIME = {"contextSize": 2048, "parallel": 2, "threads": 1, "chatTemplate": "vicuna"}
QUESTION = {"messages": [{"role": "user", "content": "Name a harbour."}], "max_tokens": 24}

ONLY_IN_A_FAULT: Mapping[str, str] = {
    "roadstead_ledger_failures_total": "Postgres has refused nothing",
    "roadstead_ledger_dropped_total": "nothing was given up",
}
"""Series of alerts that exist only after a fault; panels show zero without them."""

PANELS = [query for query in queries() if not query.sql]
OF_THE_LEDGER = [query for query in queries() if query.sql]
ALERTS = [
    pytest.param(rule, id=rule["alert"])
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
]


@dataclass(frozen=True, kw_only=True)
class Work:
    """The server that requests were sent to; a model was transferred, a request was denied."""

    uid: str
    url: str
    token: str
    since: str


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraped(cluster, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return Gateway.of(cluster, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def work(
    cluster: Cluster,
    prometheus: Prometheus,
    gateway: Gateway,
    big_model: str,
) -> Iterator[Work]:
    namespace = f"dashboards-{secrets.token_hex(3)}"
    since = datetime.datetime.now(datetime.UTC).isoformat()
    namespaces.ensure(cluster, namespace)
    try:
        as_admin(cluster, _contract(namespace))
        serves = Serves(cluster=cluster, namespace=namespace)
        token = Issuer.of(cluster).token("alice", USERS)
        _apply(cluster, namespace, token)
        _transfer(cluster, big_model)
        with suppress(DevError):
            serves.kubectl("apply", "-f", "-", stdin=json.dumps(make_serve("denied")))
        serves.until("gemma", "Routed", "True")
        serve = serves.until_ready("gemma")
        work = Work(
            uid=serve["status"]["serverUuid"], url=serve["status"]["url"], token=token, since=since
        )
        until_routed_everywhere(gateway, work.uid, token=token)
        for _ in range(4):
            _send_request(gateway, work)
        yield work
    finally:
        cluster.run("delete", "namespace", namespace, "--wait=false")
        delete_contract(cluster, namespace, admission.token(cluster, "admin", admission.ADMINS))


@pytest.fixture
async def ledger(cluster: Cluster) -> AsyncIterator[asyncpg.Connection]:
    """The cluster's ledger, as Grafana's data source uses it."""
    secret = cluster.get("-n", NAMESPACE, "secret", "roadstead-ledger-reader")
    assert secret is not None
    dsn = base64.b64decode(secret["data"]["dsn"]).decode()
    host = urlsplit(dsn).hostname or ""
    service = cluster.get("-n", NAMESPACE, "service", host.split(".")[0])
    assert service is not None
    # This machine routes the cluster's addresses but can't resolve its names.
    connection = await asyncpg.connect(dsn.replace(f"@{host}", f"@{service['spec']['clusterIP']}"))
    yield connection
    await connection.close()


@pytest.mark.parametrize("query", PANELS, ids=lambda query: query.where)
def test_panel_has_data(prometheus: Prometheus, work: Work, query: Query) -> None:
    expression = filled(query, _variables(work), since="", until="")
    assert wait_until(lambda: _numbers(prometheus, expression), seconds=PATIENCE)


@pytest.mark.parametrize("query", OF_THE_LEDGER, ids=lambda query: query.where)
async def test_table_has_rows(ledger: asyncpg.Connection, work: Work, query: Query) -> None:
    sql = filled(query, _variables(work), since=work.since, until="infinity")
    rows: list[Any] = []
    for _ in range(240):
        rows = rows or await ledger.fetch(sql)
        if not rows:
            await ledger.execute("SELECT pg_sleep(0.5)")
    assert rows


async def test_row_links_to_the_server(
    ledger: asyncpg.Connection, gateway: Gateway, work: Work
) -> None:
    (query,) = (each for each in OF_THE_LEDGER if each.where == "servers: Servers, A")
    sql = filled(query, _variables(work), since=work.since, until="infinity")

    async def has_url() -> bool:
        rows = await ledger.fetch(sql)
        return [row["gateway_url"] for row in rows if row["server_uuid"] == work.uid] == [work.url]

    await assert_eventually(has_url, timeout=PATIENCE)
    path = urlsplit(work.url).path
    assert ask(gateway, f"{path}/v1/models", token=work.token).status == 200
    assert ask(gateway, f"{path}/v1/models").status == 401


@pytest.mark.parametrize("alert", ALERTS)
def test_series_of_each_alert_exist(prometheus: Prometheus, work: Work, alert: Any) -> None:
    wait_until(lambda: alert["alert"] in prometheus.alerts(), seconds=PATIENCE)
    for name in set(re.findall(r"\broadstead_[a-z_]+", alert["expr"])) - ONLY_IN_A_FAULT.keys():
        assert wait_until(partial(_numbers, prometheus, name), seconds=PATIENCE), name


@pytest.mark.parametrize("part", PARTS)
def test_metrics_page_is_valid_and_documented(cluster: Cluster, work: Work, part: str) -> None:
    page = targets(cluster, part)[0].page()
    done = subprocess.run(
        [promtool(), "check", "metrics"], input=page, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    documented = {each.name for each in metrics()}
    served = set(re.findall(r"^# TYPE (roadstead_\w+)", page, re.MULTILINE))
    assert {name for name in served if not name.endswith("_created")} <= documented


def _variables(work: Work) -> dict[str, str]:
    return {"namespace": ".*", "contract": ".*", "server": work.uid, "deleted": "false"}


def _numbers(prometheus: Prometheus, expression: str) -> list[float]:
    values = (
        float(value)
        for series in prometheus.over(expression, WINDOW_SECONDS)
        for _, value in series["values"]
    )
    return [value for value in values if not math.isnan(value)]


def _send_request(gateway: Gateway, work: Work) -> None:
    path = f"{urlsplit(work.url).path}/v1/chat/completions"
    assert ask(gateway, path, token=work.token, body=QUESTION).status == 200


def _contract(namespace: str) -> dict[str, Any]:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
    return {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "ResourceContract",
        "metadata": {"name": namespace},
        "spec": {
            "namespaces": {"names": [namespace]},
            "authorization": {"groups": [USERS]},
            "models": ["*"],
            "total": {"servers": 4, "replicas": 4, "cpu": "4", "memory": "8Gi", "gpu": 4},
            "expiresAt": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }


def _apply(cluster: Cluster, namespace: str, token: str) -> None:
    serve = json.dumps(make_serve(runtimeParams=RUNTIME))
    cluster.run("-n", namespace, "apply", "-f", "-", stdin=admission.with_token(serve, token))


def _transfer(cluster: Cluster, model_id: str) -> None:
    """Create a Model whose transfer takes some seconds: long enough to be scraped."""
    name = f"dashboards-{secrets.token_hex(3)}"
    spec = {"source": {"quant": {"modelId": model_id}}, "deletionPolicy": "Delete"}
    model = {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name},
        "spec": spec,
    }
    as_admin(cluster, model)
    cluster.run("wait", f"model/{name}", "--for=condition=Ready", "--timeout=600s")
