"""The console in the chart: when it is installed, its rights, and its environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roadstead.console.console_settings import ConsoleSettings
from tests.chart.test_rights import granted, policy, ports, verbs_of
from tests.chart.test_workloads import RecordingEnviron
from tests.support.charts import (
    GATEWAY_API,
    NO_GATEWAY,
    NO_LEDGER,
    TRAEFIK,
    Chart,
    ChartRefused,
    Values,
)

NAME = "roadstead-console"
PROVIDER: Values = {
    "tokens": {
        "issuers": [
            {
                "issuer": "https://id.example.com:8443/realm",
                "audience": "console",
                "jwksUrl": "https://keys.example.com/jwks",
                "ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                "subjectPrefix": "id:",
                "groupsPrefix": "id:",
            }
        ]
    },
    "console": {
        "oidc": {
            "issuer": "https://id.example.com:8443/realm",
            "clientId": "console",
            "existingSecret": "console-oidc",
        }
    },
}


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def apart(url: str = "https://console.example.com", **gateway: object) -> Values:
    """Return values for a console with a separate host."""
    return {"gateway": {**TRAEFIK["gateway"], **gateway}, "console": {"url": url}}


@pytest.mark.parametrize("gateway", [TRAEFIK, GATEWAY_API])
def test_console_is_installed_with_a_gateway_and_a_ledger(chart: Chart, gateway: Values) -> None:
    assert chart.render(gateway).one("Deployment", NAME)


@pytest.mark.parametrize(
    "values",
    [NO_GATEWAY, {**TRAEFIK, **NO_LEDGER}, {**TRAEFIK, "console": {"enabled": False}}],
    ids=["no-gateway", "no-ledger", "turned-off"],
)
def test_without_gateway_or_ledger_there_is_no_console_and_no_route(
    chart: Chart, values: Values
) -> None:
    text = str(chart.render(values).objects)
    assert f"'{NAME}'" not in text
    assert "ROADSTEAD_CONSOLE_SERVICE" not in text


def test_console_may_change_modelserves_and_list_nothing(chart: Chart) -> None:
    assert verbs_of(chart.render(TRAEFIK).one("ClusterRole", NAME)) == {
        ("model.example.com", "modelserves"): {"get", "create", "patch", "delete"},
        ("model.example.com", "models"): {"get"},
        ("", "namespaces"): {"get"},
    }


def test_console_writes_only_the_configmap_of_sign_outs(chart: Chart) -> None:
    (rule,) = chart.render(TRAEFIK).one("Role", NAME)["rules"]
    assert rule["resourceNames"] == ["roadstead-revocations"]
    assert set(rule["verbs"]) == {"get", "list", "watch", "patch"}


def test_console_reads_the_ledger_as_the_reader_role(chart: Chart) -> None:
    pod = chart.render(TRAEFIK).one("Deployment", NAME)["spec"]["template"]["spec"]
    secrets = {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    projected = [each["projected"]["sources"][0] for each in pod["volumes"] if "projected" in each]
    assert secrets == {"roadstead-jwt"}
    assert [each["secret"]["name"] for each in projected] == ["roadstead-ledger-reader"]


def test_only_the_gateway_calls_the_console(chart: Chart) -> None:
    (rule,) = policy(chart.render(TRAEFIK), NAME)["ingress"]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
    ]


def test_console_calls_the_api_the_ledger_and_the_provider(chart: Chart) -> None:
    egress = policy(chart.render({**TRAEFIK, **PROVIDER}), NAME)["egress"]
    assert [ports(rule) for rule in egress] == [{53, 5353}, {443, 6443}, {443}, {5432}, {8443}]


def test_settings_accept_the_environment_of_the_console(chart: Chart, tmp_path: Path) -> None:
    issuers = tmp_path / "issuers.json"
    oidc = PROVIDER["console"]["oidc"]
    entry = {"issuer": oidc["issuer"], "audience": "console", "jwksUrl": "https://k.example.com/j"}
    issuers.write_text(json.dumps([entry]))
    environ = RecordingEnviron()
    environ |= chart.render({**TRAEFIK, **PROVIDER}).env("console")
    given = set(environ)
    environ["ROADSTEAD_TOKEN_ISSUERS_FILE"] = str(issuers)
    settings = ConsoleSettings.from_env(environ)
    assert settings.provider is not None
    assert settings.provider.authorities.file == Path("/etc/roadstead/issuers/ca-0.pem")
    assert settings.origin == "https://models.example.com"
    assert given - {"ROADSTEAD_NAMESPACE"} <= environ.asked


def test_separate_console_host_is_in_every_environment(chart: Chart) -> None:
    rendered = chart.render(apart())
    for component in ("operator", "forward-auth", "console"):
        environ = rendered.env(component)
        assert environ["ROADSTEAD_CONSOLE_URL"] == "https://console.example.com"
        assert environ["ROADSTEAD_GATEWAY_URL"] == "https://models.example.com"


def test_shared_host_sets_no_console_url_and_no_gateway_address(
    chart: Chart,
) -> None:
    rendered = chart.render(TRAEFIK)
    for component in ("operator", "forward-auth", "console"):
        assert "ROADSTEAD_CONSOLE_URL" not in rendered.env(component)
    assert "ROADSTEAD_GATEWAY_ADDRESS" not in rendered.env("console")


def test_console_on_a_separate_host_calls_the_gateway_and_trusts_its_authority(
    chart: Chart,
) -> None:
    rendered = chart.render(apart(address="traefik.gateway.svc:443", caBundle=PEM))
    environ = rendered.env("console")
    assert environ["ROADSTEAD_GATEWAY_ADDRESS"] == "traefik.gateway.svc:443"
    assert environ["ROADSTEAD_GATEWAY_CA_FILE"] == "/etc/roadstead/gateway-ca/ca.crt"
    pod = rendered.one("Deployment", NAME)["spec"]["template"]["spec"]
    assert "/etc/roadstead/gateway-ca" in str(pod["containers"][0]["volumeMounts"])
    *_, rule = policy(rendered, NAME)["egress"]
    label = {"kubernetes.io/metadata.name": "gateway"}
    assert rule == {"to": [{"namespaceSelector": {"matchLabels": label}}]}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://models.example.com:8443", "has the host of gateway.url"),
        ("http://console.example.com", "https://host"),
        ("https://console.example.com/x", "no path"),
        ("https://Console.example.com", "lower case"),
    ],
)
def test_console_url_with_the_gateways_host_or_an_invalid_form_is_rejected(
    chart: Chart, url: str, message: str
) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(apart(url))


def test_provider_that_is_not_an_issuer_is_rejected(chart: Chart) -> None:
    oidc = {"issuer": "https://other.example.com", "clientId": "console"}
    with pytest.raises(ChartRefused, match=r"not one of tokens\.issuers"):
        chart.render({**TRAEFIK, "console": {"oidc": oidc}})


def test_scopes_without_openid_are_rejected(chart: Chart) -> None:
    oidc = {**PROVIDER["console"]["oidc"], "scopes": ["profile"]}
    with pytest.raises(ChartRefused, match=r"console\.oidc\.scopes is \[profile\]: add openid"):
        chart.render({**TRAEFIK, **PROVIDER, "console": {"oidc": oidc}})


def test_operator_gets_the_name_of_the_consoles_service(chart: Chart) -> None:
    rendered = chart.render(TRAEFIK)
    operator = rendered.one("Deployment", "roadstead-operator")
    env = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    values = {each["name"]: each.get("value") for each in env}
    assert rendered.one("Service", values["ROADSTEAD_CONSOLE_SERVICE"] or "")
    assert granted(rendered)["traefik.io", "ingressroutes"] >= {"get", "create", "patch"}
