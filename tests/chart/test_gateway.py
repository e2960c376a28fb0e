"""The gateway in the chart: forward auth, keys, rights and network policies."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings
from roadstead.forwardauth.auth_settings import ForwardAuthSettings
from roadstead.settings import EnvReader
from tests.chart.test_rights import granted, policy, ports, verbs_of
from tests.support.builders.tokens import prefixes
from tests.support.charts import (
    EVERYTHING,
    GATEWAY_API,
    TRAEFIK,
    Chart,
    ChartRefused,
    Object,
    Rendered,
    Values,
)

NAME = "roadstead-forward-auth"
CORS_ORIGINS = "ROADSTEAD_GATEWAY_CORS_ORIGINS"
CHANGES = {"create", "patch", "delete"}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NO_WEBHOOKS: Values = {**TRAEFIK, "webhooks": {"enabled": False}}


@pytest.fixture(scope="module")
def traefik(chart: Chart) -> Rendered:
    return chart.render(TRAEFIK)


def gateway(**changes: object) -> Values:
    """Return the Traefik values of these tests with changes."""
    return {"gateway": {**TRAEFIK["gateway"], **changes}}


def from_gateway() -> list[Object]:
    """Return the peers of a NetworkPolicy that select the gateway's pods."""
    label = {"kubernetes.io/metadata.name": "gateway"}
    return [{"namespaceSelector": {"matchLabels": label}}]


def volume(rendered: Rendered, deployment: str, name: str) -> Object:
    pod = rendered.one("Deployment", deployment)["spec"]["template"]["spec"]
    (found,) = (each for each in pod["volumes"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def protections(rendered: Rendered) -> list[str]:
    """Return the names of the policies that protect routes."""
    names = rendered.names("ValidatingAdmissionPolicy")
    return [name for name in names if name.endswith(("-traefik-objects", "-gateway-routes"))]


def test_without_a_gateway_none_of_its_objects_is_rendered(no_gateway: Rendered) -> None:
    names = [each["metadata"]["name"] for each in no_gateway.objects]
    assert not [name for name in names if "forward-auth" in name or "gateway" in name]
    assert not protections(no_gateway)
    env = {name for name in no_gateway.operator_env() if "GATEWAY" in name or "FORWARD" in name}
    assert env == {"ROADSTEAD_GATEWAY_NAMESPACE"}


@pytest.mark.parametrize("values", [TRAEFIK, GATEWAY_API, EVERYTHING, NO_WEBHOOKS])
def test_settings_accept_the_environment_of_forward_auth(
    chart: Chart, values: Values, tmp_path: Path
) -> None:
    rendered = chart.render(values)
    settings = ForwardAuthSettings.from_env(auth_env(rendered, tmp_path))
    assert settings.origin == ("" if "console" in values else values["gateway"]["url"])
    assert rendered.one("ConfigMap", settings.revocations)


@pytest.mark.parametrize(("seconds", "is_valid"), [(9, False), (10, True)])
def test_chart_and_forward_auth_have_the_same_minimum_of_staleness(
    chart: Chart, traefik: Rendered, tmp_path: Path, seconds: int, is_valid: bool
) -> None:
    env = auth_env(traefik, tmp_path) | {"ROADSTEAD_MAX_STALENESS_SECONDS": str(seconds)}
    with contextlib.nullcontext() if is_valid else pytest.raises(InvalidSettings):
        ForwardAuthSettings.from_env(env)
    with contextlib.nullcontext() if is_valid else pytest.raises(ChartRefused):
        chart.render({**TRAEFIK, "forwardAuth": {"maxStalenessSeconds": seconds}})


def auth_env(rendered: Rendered, folder: Path) -> dict[str, str]:
    """Return the environment of forward auth, with a file in place of the mounted issuers."""
    issuers = folder / "issuers.yaml"
    issuers.write_text(rendered.one("ConfigMap", "roadstead-issuers")["data"]["issuers.yaml"])
    own = {"ROADSTEAD_TOKEN_ISSUERS_FILE": str(issuers), "ROADSTEAD_NAMESPACE": "roadstead-system"}
    return {**rendered.env("forward-auth"), **own}


def test_without_webhooks_tokens_are_verified_and_contracts_ignored(chart: Chart) -> None:
    rendered = chart.render(NO_WEBHOOKS)
    assert rendered.env("forward-auth")["ROADSTEAD_ADMISSION"] == "off"
    assert rendered.one("Secret", "roadstead-jwt")["data"]["secret"]


def test_operator_and_forward_auth_mount_the_same_key(traefik: Rendered) -> None:
    secrets = {
        volume(traefik, name, "gateway")["secret"]["secretName"]
        for name in ("roadstead-operator", NAME)
    }
    assert secrets == {"roadstead-gateway"}
    assert traefik.one("Secret", "roadstead-gateway")["data"].keys() == {"key"}


def test_no_other_pod_mounts_the_gateway_key(traefik: Rendered) -> None:
    holders = [
        pod["serviceAccountName"] for pod in traefik.pod_specs() if "roadstead-gateway" in str(pod)
    ]
    assert holders == ["roadstead-forward-auth", "roadstead-operator"]


def test_operator_gets_the_url_of_forward_auth(traefik: Rendered) -> None:
    url = traefik.operator_env()["ROADSTEAD_FORWARD_AUTH_URL"]
    service = traefik.one("Service", NAME)
    assert url == "http://roadstead-forward-auth.roadstead-system.svc"
    assert [(each["port"], each["targetPort"]) for each in service["spec"]["ports"]] == [
        (80, "verify")
    ]


def test_authority_of_the_gateway_is_mounted_as_a_file(chart: Chart) -> None:
    rendered = chart.render(gateway(caBundle=PEM))
    assert rendered.one("ConfigMap", "roadstead-gateway-ca")["data"] == {"ca.crt": PEM}
    assert volume(rendered, "roadstead-operator", "gateway-ca")["configMap"]
    path = rendered.operator_env()["ROADSTEAD_GATEWAY_CA_FILE"]
    assert path == "/etc/roadstead/gateway-ca/ca.crt"


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ({"name": "models"}, "gateway/models"),
        ({"name": "models", "namespace": "infra"}, "infra/models"),
        ({"name": "models", "sectionName": "https"}, "gateway/models/https"),
    ],
)
def test_gateway_parent_is_one_environment_variable(
    chart: Chart, parent: Object, expected: str
) -> None:
    env = chart.render(gateway(kind="gateway-api", parent=parent)).operator_env()
    assert env["ROADSTEAD_GATEWAY_PARENT"] == expected


ORIGINS = ["https://app.example.com", "http://localhost:3000", "app://obsidian.md"]


def test_operator_and_forward_auth_get_the_same_list_of_origins(chart: Chart) -> None:
    rendered = chart.render(gateway(cors={"origins": ORIGINS}))
    for env in (rendered.operator_env(), rendered.env("forward-auth")):
        assert EnvReader(env).origins(CORS_ORIGINS) == tuple(ORIGINS)


def test_no_origin_is_allowed_by_default(traefik: Rendered) -> None:
    assert CORS_ORIGINS not in {**traefik.operator_env(), **traefik.env("forward-auth")}


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "app.example.com", "https://*.example.com", "https://App.example.com"),
        *("https://app.example.com/", "https://app.example.com:443", "http://app.example.com:80"),
    ],
)
def test_invalid_origin_is_rejected_with_advice(chart: Chart, origin: str) -> None:
    with pytest.raises(ChartRefused, match=r"write scheme://host\[:port\]"):
        chart.render(gateway(cors={"origins": [origin]}))


def test_origins_need_a_gateway(chart: Chart) -> None:
    with pytest.raises(ChartRefused, match=r"set gateway\.kind"):
        chart.render({"gateway": {"kind": "none", "cors": {"origins": ORIGINS}}})


def test_rollout_keeps_forward_auth_available(traefik: Rendered) -> None:
    spec = traefik.one("Deployment", NAME)["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert traefik.one("PodDisruptionBudget", NAME)["spec"]["maxUnavailable"] == 1


def test_forward_auth_changes_nothing(traefik: Rendered) -> None:
    for role in (traefik.one("ClusterRole", NAME), traefik.one("Role", NAME)):
        assert all(verbs == {"list", "watch"} for verbs in verbs_of(role).values())


def test_forward_auth_reads_no_secret(traefik: Rendered) -> None:
    for role in (traefik.one("ClusterRole", NAME), traefik.one("Role", NAME)):
        assert not [resource for _, resource in verbs_of(role) if resource == "secrets"]


@pytest.mark.parametrize(
    "route",
    [
        ("traefik.io", "ingressroutes"),
        ("traefik.io", "middlewares"),
        ("gateway.networking.k8s.io", "httproutes"),
    ],
)
def test_operator_may_write_routes_only_with_a_gateway(
    traefik: Rendered, no_gateway: Rendered, route: tuple[str, str]
) -> None:
    more = {"get", *CHANGES} if route[0] == "traefik.io" else {"delete"}
    assert granted(traefik)[route] == {"list", "watch"} | more
    assert granted(no_gateway)[route] == {"list", "delete"}


def test_only_the_gateway_calls_forward_auth(traefik: Rendered) -> None:
    (rule,) = policy(traefik, NAME)["ingress"]
    assert (rule["from"], ports(rule)) == (from_gateway(), {"verify"})


def test_only_configured_peers_read_metrics(chart: Chart) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    rendered = chart.render({**TRAEFIK, "networkPolicy": {"metricsFrom": [peer]}})
    _, rule = policy(rendered, NAME)["ingress"]
    assert (rule["from"], ports(rule)) == ([peer], {"http"})


def test_forward_auth_calls_only_the_api_and_issuers(chart: Chart) -> None:
    issuer = {"issuer": "a", "audience": "r", "jwksUrl": "https://a.example.com:9443/keys.json"}
    tokens = {"issuers": [issuer | prefixes("a:")]}
    rendered = chart.render({**TRAEFIK, "tokens": tokens})
    egress = policy(rendered, NAME)["egress"]
    assert [ports(rule) for rule in egress] == [{53, 5353}, {443, 6443}, {9443}]


def test_operator_reaches_the_gateways_pods_at_any_port(chart: Chart) -> None:
    rendered = chart.render(gateway(address="traefik.gateway.svc:443"))
    *_, rule = policy(rendered, "roadstead-operator")["egress"]
    assert rule == {"to": from_gateway()}


def test_operator_reaches_an_external_gateway_at_its_port(chart: Chart) -> None:
    rendered = chart.render(gateway(url="https://models.example.com:8443"))
    *_, pods, outside = policy(rendered, "roadstead-operator")["egress"]
    assert (pods, ports(outside)) == ({"to": from_gateway()}, {8443})


def test_routes_are_protected_unless_disabled(chart: Chart) -> None:
    assert protections(chart.render(gateway())) == ["roadstead-traefik-objects"]
    assert not protections(chart.render(gateway(protectRoutes=False)))


def test_only_namespaces_of_administrators_are_exempt_from_protection(chart: Chart) -> None:
    parent = {"name": "models", "namespace": "listeners"}
    rendered = chart.render(gateway(kind="gateway-api", parent=parent))
    exempt = {}
    for name in protections(rendered):
        rules = rendered.one("ValidatingAdmissionPolicy", name)["spec"]["matchConstraints"]
        (selected,) = rules["namespaceSelector"]["matchExpressions"]
        exempt[name] = selected["values"]
    assert exempt == {
        "roadstead-traefik-objects": ["gateway"],
        "roadstead-gateway-routes": ["gateway", "listeners"],
    }


def test_every_policy_denies(chart: Chart) -> None:
    rendered = chart.render(GATEWAY_API)
    policies = rendered.of("ValidatingAdmissionPolicy")
    bound = {
        each["spec"]["policyName"]: each["spec"]["validationActions"]
        for each in rendered.of("ValidatingAdmissionPolicyBinding")
    }
    assert bound == {each["metadata"]["name"]: ["Deny"] for each in policies}
    assert {each["spec"]["failurePolicy"] for each in policies} == {"Fail"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(gateway(url=""), "set gateway.url", id="no-url"),
        pytest.param(gateway(url="http://a.example.com"), "https://host", id="no-tls"),
        pytest.param(gateway(url="https://a.example.com/x"), "no path", id="path"),
        pytest.param(gateway(url="https://a.example.com/"), "no path", id="slash"),
        pytest.param(gateway(url="https://A.example.com"), "lower case", id="upper-case"),
        pytest.param(gateway(namespace=""), "set gateway.namespace", id="no-namespace"),
        pytest.param(gateway(kind="gateway-api"), "set gateway.parent.name", id="no-parent"),
        pytest.param(gateway(parent={"name": "a"}), "gateway.kind=gateway-api", id="a-parent"),
        pytest.param(
            gateway(kind="gateway-api", parent={"name": "a"}, certResolver="acme"),
            "clear gateway.certResolver",
            id="a-resolver",
        ),
        pytest.param(
            {**NO_WEBHOOKS, "tokens": {"local": {"enabled": False}}},
            "or set tokens.issuers",
            id="no-issuer",
        ),
    ],
)
def test_contradictory_values_fail_with_advice(chart: Chart, values: Values, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(values)
