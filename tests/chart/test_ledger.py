"""The ledger in the chart: Postgres, Secrets, the migration and network policies."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import pytest

from dev.servers.postgres import ROLES
from tests.support.charts import (
    EVERYTHING,
    EXISTING_POSTGRES,
    NO_LEDGER,
    Chart,
    ChartRefused,
    Object,
    Rendered,
)

PARTS = ("operator", "webhooks")


def _dsn_secret(pod: Object) -> str:
    """Return the Secret of a pod's /etc/roadstead/ledger/dsn."""
    (container,) = pod["containers"]
    (mount,) = (m for m in container["volumeMounts"] if m["mountPath"] == "/etc/roadstead/ledger")
    (volume,) = (v for v in pod["volumes"] if v["name"] == mount["name"])
    dsn, tls = (each["secret"] for each in volume["projected"]["sources"])
    assert dsn["items"] == [{"key": "dsn", "path": "dsn"}]
    assert (tls["name"], tls["optional"]) == (dsn["name"], True)
    assert [each["key"] for each in tls["items"]] == ["ca.crt", "tls.crt", "tls.key"]
    return str(dsn["name"])


def _pod(rendered: Rendered, kind: str, name: str) -> Object:
    pod: Object = rendered.one(kind, name)["spec"]["template"]["spec"]
    return pod


def _peers_of(rendered: Rendered, policy: str, port: int | str) -> list[Any]:
    """Return the peers that a policy allows at a port."""
    spec = rendered.one("NetworkPolicy", f"roadstead-{policy}")["spec"]
    rules = [
        *((rule, rule.get("to", ["any"])) for rule in spec["egress"]),
        *((rule, rule.get("from", ["any"])) for rule in spec["ingress"]),
    ]
    return [
        peer
        for rule, peers in rules
        for peer in peers
        if port in {p["port"] for p in rule.get("ports", ())}
    ]


def _component(peer: Object) -> str:
    labels = peer["podSelector"]["matchLabels"]
    assert "namespaceSelector" not in peer
    return str(labels.get("app.kubernetes.io/component", labels.get("app")))


def test_each_role_has_a_dsn_with_its_own_password(defaults: Rendered) -> None:
    passwords = set()
    for role in ROLES:
        secret = defaults.one("Secret", f"roadstead-ledger-{role}")
        assert secret["data"].keys() == {"dsn"}
        dsn = urlsplit(base64.b64decode(secret["data"]["dsn"]).decode())
        assert (dsn.scheme, dsn.username) == ("postgresql", f"roadstead_{role}")
        assert dsn.hostname == "roadstead-postgres.roadstead-system.svc"
        assert (dsn.port, dsn.path) == (5432, "/roadstead")
        passwords.add(dsn.password)
    assert len(passwords) == 3
    assert all(password is not None and len(password) >= 32 for password in passwords)


@pytest.mark.parametrize("part", PARTS)
def test_writers_mount_only_the_writers_dsn(defaults: Rendered, part: str) -> None:
    pod = _pod(defaults, "Deployment", f"roadstead-{part}")
    assert _dsn_secret(pod) == "roadstead-ledger-writer"
    assert defaults.env(part)["ROADSTEAD_LEDGER_DSN_FILE"] == "/etc/roadstead/ledger/dsn"


def test_migration_runs_as_the_owner_after_each_install_and_upgrade(defaults: Rendered) -> None:
    job = defaults.one("Job", "roadstead-ledger-migrate")
    assert job["metadata"]["annotations"] == {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    pod = job["spec"]["template"]["spec"]
    assert _dsn_secret(pod) == "roadstead-ledger-owner"
    assert pod["containers"][0]["args"] == ["ledger", "migrate", "--wait", "300"]


def test_existing_secrets_are_mounted(chart: Chart) -> None:
    rendered = chart.render(EXISTING_POSTGRES)
    assert [_dsn_secret(_pod(rendered, "Deployment", f"roadstead-{p}")) for p in PARTS] == [
        "db-writer",
        "db-writer",
    ]
    assert _dsn_secret(_pod(rendered, "Job", "roadstead-ledger-migrate")) == "db-owner"


def test_existing_postgres_replaces_the_embedded_one(chart: Chart) -> None:
    rendered = chart.render(EXISTING_POSTGRES)
    assert not [each for each in rendered.objects if "postgres" in each["metadata"]["name"]]
    assert not [name for name in rendered.names("Secret") if "ledger" in name]


def test_embedded_postgres_gives_the_roles_the_passwords_of_existing_secrets(
    chart: Chart,
) -> None:
    rendered = chart.render(EVERYTHING)
    pod = _pod(rendered, "StatefulSet", "roadstead-postgres")
    (roles,) = (each for each in pod["volumes"] if each["name"] == "roles")
    sources = [each["secret"] for each in roles["projected"]["sources"]]
    assert [each["name"] for each in sources] == ["db-owner", "db-writer", "db-reader"]
    assert not [name for name in rendered.names("Secret") if "ledger" in name]


def test_without_a_ledger_none_of_its_objects_is_rendered(chart: Chart) -> None:
    rendered = chart.render(NO_LEDGER)
    names = [each["metadata"]["name"] for each in rendered.objects]
    assert not [name for name in names if "ledger" in name or "postgres" in name]
    assert not [name for part in PARTS for name in rendered.env(part) if "LEDGER" in name]
    assert not [peer for part in PARTS for peer in _peers_of(rendered, part, 5432)]


@pytest.mark.parametrize("role", ROLES)
def test_missing_dsn_fails_with_advice(chart: Chart, role: str) -> None:
    secrets = {each: f"db-{each}" for each in ROLES if each != role}
    values = {"postgres": {"embedded": False}, "ledger": {"existingSecrets": secrets}}
    with pytest.raises(ChartRefused, match=rf"set ledger.existingSecrets.{role} to a Secret"):
        chart.render(values)


@pytest.mark.parametrize(("kind", "part"), [("Deployment", "operator"), ("Job", "ledger-migrate")])
def test_retention_is_set_for_the_operator_and_the_migration(
    chart: Chart, kind: str, part: str
) -> None:
    (container,) = _pod(chart.render(EVERYTHING), kind, f"roadstead-{part}")["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    days = {name: value for name, value in env.items() if name.endswith("_DAYS")}
    assert days == {
        "ROADSTEAD_LEDGER_HISTORY_DAYS": "30",
        "ROADSTEAD_LEDGER_USAGE_DAYS": "7",
        "ROADSTEAD_LEDGER_ADMISSION_DAYS": "365",
    }


def test_scratch_ledger_claims_no_volume(chart: Chart) -> None:
    rendered = chart.render({"postgres": {"persistence": {"enabled": False}}})
    spec = rendered.one("StatefulSet", "roadstead-postgres")["spec"]
    assert "volumeClaimTemplates" not in spec
    assert {"name": "data", "emptyDir": {}} in spec["template"]["spec"]["volumes"]


def test_data_of_postgres_is_not_at_the_path_of_an_images_volume(defaults: Rendered) -> None:
    pod = _pod(defaults, "StatefulSet", "roadstead-postgres")
    (data,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "data")
    assert not data["mountPath"].startswith("/var/lib/postgresql")


def test_only_components_that_need_the_ledger_reach_postgres(chart: Chart) -> None:
    rendered = chart.render(EVERYTHING)
    peers = _peers_of(rendered, "postgres", "postgres")
    assert {_component(peer) for peer in peers} == {
        *("operator", "webhooks", "ledger-migrate", "console", "grafana"),
    }
    assert rendered.one("NetworkPolicy", "roadstead-postgres")["spec"]["egress"] == []


@pytest.mark.parametrize("part", [*PARTS, "ledger-migrate"])
def test_components_reach_only_the_embedded_postgres(defaults: Rendered, part: str) -> None:
    assert [_component(peer) for peer in _peers_of(defaults, part, 5432)] == ["postgres"]


@pytest.mark.parametrize("part", [*PARTS, "ledger-migrate"])
def test_components_reach_an_existing_postgres_at_its_port_and_peers(
    chart: Chart, part: str
) -> None:
    peers = _peers_of(chart.render(EXISTING_POSTGRES), part, 6432)
    assert peers == [{"ipBlock": {"cidr": "10.2.0.0/16"}}]


def test_migration_calls_only_postgres(defaults: Rendered) -> None:
    spec = defaults.one("NetworkPolicy", "roadstead-ledger-migrate")["spec"]
    ports = {port["port"] for rule in spec["egress"] for port in rule.get("ports", ())}
    assert (ports, spec["ingress"]) == ({53, 5353, 5432}, [])
