"""values.yaml and its schema."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.support.charts import (
    CHART,
    CHECKOUT,
    EXISTING_STORE,
    NO_GATEWAY,
    Chart,
    ChartRefused,
    Values,
)

ANY = {"ipBlock": {"cidr": "10.0.0.0/8"}}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def closed_objects(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield each object of the schema that rejects unknown keys, with its keys."""
    if schema.get("additionalProperties") is False:
        yield path, set(schema["properties"])
    for name, child in schema.get("properties", {}).items():
        yield from closed_objects(child, f"{path}.{name}")


def at(values: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        values = values[name]
    return values


def test_lint_reports_nothing(chart: Chart) -> None:
    assert chart.lint() == ""


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        pytest.param(path, keys, id=path or "top")
        for path, keys in closed_objects(SCHEMA)
        if not path.endswith(".resources")
    ],
)
def test_schema_and_values_know_the_same_keys(path: str, keys: set[str]) -> None:
    assert keys == at(VALUES, path).keys()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"minoi": {}}, id="top"),
        pytest.param({"store": {"embeded": {}}}, id="nested"),
        pytest.param({"operator": {"logs": {"lvl": "debug"}}}, id="deep"),
        pytest.param({"operator": {"resources": {"limit": {}}}}, id="resources"),
        pytest.param({"operator": {"logs": {"level": "DEBUG"}}}, id="choice"),
        pytest.param({"transfer": {"connections": 9}}, id="too-many"),
        pytest.param({"transfer": {"connections": "4"}}, id="text-for-number"),
        pytest.param({"transfer": {"runner": "pod"}}, id="runner"),
        pytest.param({"tokens": {"restorers": [{"user": "a"}]}}, id="restorer-without-end"),
        pytest.param({"transfer": {"job": {"affinity": {}}}}, id="no-such-placement"),
        pytest.param({"fetch": {"urlTTLSeconds": 60}}, id="too-short"),
        pytest.param({"fetch": {"urlTTLSeconds": 86400}}, id="too-long"),
        pytest.param({"quant": {"endpoint": "quant:8090"}}, id="no-scheme"),
        pytest.param({"quant": {"endpoint": "http://user:key@quant"}}, id="credentials-in-url"),
        pytest.param({"source": {"allow": ["https://models.example.com/path"]}}, id="allow-path"),
        pytest.param({"source": {"allow": "models.example.com"}}, id="allow-no-list"),
        pytest.param({"store": {"bucket": "Models"}}, id="bucket"),
        pytest.param({"store": {"addressing": "host"}}, id="addressing"),
        pytest.param({"images": {"server": ""}}, id="no-image"),
        pytest.param({"images": {"pullPolicy": "Sometimes"}}, id="pull-policy"),
        pytest.param({"store": {"embedded": {"persistence": {"size": "100GB"}}}}, id="size"),
        pytest.param({"ledger": {"retention": {"usageDays": 0}}}, id="nothing-kept"),
        pytest.param({"ledger": {"existingSecrets": {"admin": "db"}}}, id="role"),
        pytest.param({"postgres": {"embedded": "no"}}, id="text-for-choice"),
        pytest.param({"gateway": {"kind": "nginx"}}, id="gateway-kind"),
        pytest.param({"gateway": {"address": "https://traefik:443"}}, id="address-no-url"),
        pytest.param({"gateway": {"entryPoints": []}}, id="no-entry-point"),
        pytest.param({"gateway": {"parent": {"name": "a'b"}}}, id="quote-in-a-name"),
        pytest.param({"forwardAuth": {"replicas": 0}}, id="nobody-to-ask"),
        pytest.param({"monitoring": {"podMonitor": {"interval": "30"}}}, id="no-unit"),
        pytest.param({"monitoring": {"rules": {"runbookUrl": "docs"}}}, id="runbooks-nowhere"),
    ],
)
def test_invalid_value_is_rejected(chart: Chart, values: Values) -> None:
    with pytest.raises(ChartRefused, match="values don't meet the specifications of the schema"):
        chart.render(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(
            {"store": {"endpoint": "http://s3"}},
            "set store.embedded.enabled=false too",
            id="both-stores",
        ),
        pytest.param(
            {"store": {"embedded": {"enabled": False}}}, "set store.endpoint", id="no-store"
        ),
        pytest.param(
            {"store": {**EXISTING_STORE["store"], "existingSecret": ""}},
            "set store.existingSecret",
            id="no-keys",
        ),
        pytest.param(
            {"store": {"addressing": "virtualHost"}},
            "the embedded store has one name",
            id="embedded-by-host",
        ),
        pytest.param(
            {"networkPolicy": {"storePeers": [ANY]}},
            "set store.embedded.enabled=false",
            id="peers-of-no-store",
        ),
        pytest.param(
            {"networkPolicy": {"ledgerPeers": [ANY]}},
            "set postgres.embedded=false",
            id="peers-of-no-postgres",
        ),
        pytest.param(
            {"ledger": {"port": 6432}},
            "the embedded Postgres has port 5432",
            id="port-of-no-postgres",
        ),
        *(
            pytest.param(
                {"gateway": {"kind": "none", name: value}},
                f"gateway.{name} is set, but gateway.kind is none",
                id=name,
            )
            for name, value in (
                ("url", "https://models.example.com"),
                ("address", "traefik.traefik.svc:443"),
                ("certResolver", "acme"),
            )
        ),
        pytest.param(
            {**NO_GATEWAY, "console": {"url": "https://console.example.com"}},
            "set gateway.kind, or clear console.url",
            id="console-without-gateway",
        ),
        pytest.param(
            {"console": {"oidc": {"clientId": "console"}}},
            "set console.oidc.issuer",
            id="client-without-provider",
        ),
        pytest.param(
            {"tokens": {"restorers": [{"until": "2030-01-31T18:00:00Z"}]}},
            "tokens.restorers: each entry needs either user or serviceAccount",
            id="restorer-without-name",
        ),
        *(
            pytest.param(
                {
                    **EXISTING_STORE,
                    "store": {
                        **EXISTING_STORE["store"],
                        "endpoint": endpoint,
                        "addressing": "virtualHost",
                    },
                },
                "is an IP address",
                id=endpoint,
            )
            for endpoint in ("http://10.1.2.3:9000", "https://[fd00::1]", "http://10.1.2.3/")
        ),
    ],
)
def test_contradictory_values_fail_with_advice(chart: Chart, values: Values, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(values)


def test_chart_has_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == chart["version"] == project["version"]
