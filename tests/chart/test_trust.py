"""Private authorities, proxies and IP families in the chart."""

from __future__ import annotations

import pytest

from roadstead.manifests.transfer_job import TransferPlace, transfer_job
from tests.support.charts import (
    EVERYTHING,
    JOBS,
    TRUST,
    Chart,
    ChartRefused,
    Object,
    Rendered,
    Values,
)

PLACE = TransferPlace(model_name="gemma", model_uid="model-uid", namespace="roadstead-system")
WORKLOADS = {
    "roadstead-operator",
    "roadstead-webhooks",
    "roadstead-forward-auth",
    "roadstead-console",
    "roadstead-ledger-migrate",
}


@pytest.fixture(scope="module")
def trusting(chart: Chart) -> Rendered:
    return chart.render({**EVERYTHING, "trust": TRUST["trust"]})


def pods(rendered: Rendered) -> dict[str, Object]:
    """Return the pods of the workloads that connect by TLS, and of a transfer's Job."""
    found = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for each in rendered.of(kind)
        if each["metadata"]["name"] in WORKLOADS
    }
    assert found.keys() == WORKLOADS
    return found


def env_of(pod: Object) -> dict[str, str]:
    (container,) = pod["containers"]
    return {each["name"]: each.get("value", "") for each in container.get("env", [])}


def assert_trusts(pod: Object) -> None:
    (container,) = pod["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "trust")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "trust")
    # A subPath is never updated.
    assert mount == {"name": "trust", "mountPath": "/etc/roadstead/trust", "readOnly": True}
    assert volume["configMap"] == {
        "name": "private",
        "items": [{"key": "bundle.pem", "path": "ca.crt"}],
    }
    env = env_of(pod)
    assert env["ROADSTEAD_TRUST_FILE"] == f"{mount['mountPath']}/ca.crt"
    assert env["ROADSTEAD_TRUST_MODE"] == "replace"


def test_every_pod_that_connects_by_tls_trusts_the_authorities(trusting: Rendered) -> None:
    for pod in pods(trusting).values():
        assert_trusts(pod)


def test_transfer_job_trusts_the_authorities(chart: Chart) -> None:
    rendered = chart.render({**JOBS, **TRUST})
    job = transfer_job(rendered.transfer_job(), PLACE, inputs="abc", attempt=1)
    assert_trusts(job["spec"]["template"]["spec"])


def test_without_authorities_nothing_is_mounted(defaults: Rendered) -> None:
    for pod in defaults.pod_specs():
        assert "trust" not in {each["name"] for each in pod["volumes"]}


def test_authorities_in_a_secret_are_mounted(chart: Chart) -> None:
    rendered = chart.render({"trust": {"secret": "private"}})
    pod = rendered.one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    (volume,) = (each for each in pod["volumes"] if each["name"] == "trust")
    assert volume["secret"]["secretName"] == "private"
    assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trust": {"configMap": "a", "secret": "b"}}, "set one of them"),
        ({"trust": {"mode": "replace"}}, "set trust.configMap or trust.secret"),
        ({"source": {"proxy": {"existingSecret": "a"}}}, "set source.proxy.url to the proxy"),
        ({"tokens": {"proxy": {"existingSecret": "a"}}}, "set tokens.proxy.url to the proxy"),
    ],
)
def test_incomplete_values_fail_with_advice(chart: Chart, values: Values, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(values)


@pytest.mark.parametrize(
    ("use", "name"), [("SOURCE", "roadstead-operator"), ("TOKENS", "roadstead-webhooks")]
)
def test_proxy_is_given_with_its_credentials(chart: Chart, use: str, name: str) -> None:
    given = {
        "url": "http://proxy:3128",
        "existingSecret": "login",
        "noProxy": [".svc", "10.0.0.0/8"],
    }
    rendered = chart.render({use.lower(): {"proxy": given}})
    pod = rendered.one("Deployment", name)["spec"]["template"]["spec"]
    env = env_of(pod)
    assert env[f"ROADSTEAD_{use}_PROXY_URL"] == "http://proxy:3128"
    assert env[f"ROADSTEAD_{use}_NO_PROXY"] == ".svc,10.0.0.0/8"
    folder = env[f"ROADSTEAD_{use}_PROXY_CREDENTIALS_DIR"]
    (container,) = pod["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["mountPath"] == folder)
    (volume,) = (each for each in pod["volumes"] if each["name"] == mount["name"])
    assert volume["secret"]["secretName"] == "login"
    assert [each["path"] for each in volume["secret"]["items"]] == ["username", "password"]
    egress = rendered.one("NetworkPolicy", name)["spec"]["egress"]
    assert {"ports": [{"port": 3128, "protocol": "TCP"}]} in egress


def test_services_are_of_both_families_where_the_cluster_is(trusting: Rendered) -> None:
    services = trusting.of("Service")
    assert services
    assert {each["spec"]["ipFamilyPolicy"] for each in services} == {"PreferDualStack"}
