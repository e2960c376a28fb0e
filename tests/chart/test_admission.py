"""The webhooks in the chart: rules of the configurations, settings, upgrades."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.issuers.issuer_settings import read_issuers
from roadstead.settings import EnvReader
from roadstead.tokens.prefixes import NamePrefixes
from roadstead_webhooks.admission.restorers import read_restorers
from roadstead_webhooks.webhook_settings import WebhookSettings
from tests.support.builders.tokens import prefixes
from tests.support.charts import EVERYTHING, Chart, ChartRefused, Rendered, Values

CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GIVEN: Values = {
    "webhooks": {
        "certificates": {"mode": "given", "existingSecret": "my-tls", "caBundle": PEM},
    }
}
CERTIFIED: Values = {
    "webhooks": {"apiServer": {"clientCABundle": PEM, "clientNames": ["kube-apiserver"]}}
}
KEYLESS = {"issuer": "a", "audience": "b"}
CERT_MANAGER: Values = {
    "webhooks": {"certificates": {"mode": "cert-manager", "issuerRef": {"name": "internal"}}}
}


def hooks(rendered: Rendered) -> list[dict[str, Any]]:
    """Return every webhook of both configurations."""
    return [hook for kind in CONFIGURATIONS for hook in rendered.one(kind, "roadstead")["webhooks"]]


def asked(rendered: Rendered, kind: str) -> set[tuple[str, str]]:
    """Return the resources and operations in the rules of a configuration."""
    (hook,) = rendered.one(kind, "roadstead")["webhooks"]
    return {
        (resource, operation)
        for rule in hook["rules"]
        for resource in rule["resources"]
        for operation in rule["operations"]
    }


def test_operator_and_webhooks_count_the_same_devices(chart: Chart) -> None:
    given: Values = {"devices": {"names": ["a.com/*"], "shares": ["a.com/mem"], "others": []}}
    expected = DeviceNames(devices=("a.com/*",), shares=("a.com/mem",), others=())
    rendered = chart.render(given)
    for part in ("operator", "webhooks"):
        assert DeviceNames.read(EnvReader(rendered.env(part))) == expected


def test_devices_of_the_chart_are_those_of_the_programs(defaults: Rendered) -> None:
    for part in ("operator", "webhooks"):
        assert DeviceNames.read(EnvReader(defaults.env(part))) == DEFAULT_DEVICES


def test_webhook_failure_is_a_denial(defaults: Rendered) -> None:
    assert {hook["failurePolicy"] for hook in hooks(defaults)} == {"Fail"}
    assert {hook["matchPolicy"] for hook in hooks(defaults)} == {"Equivalent"}
    assert all(hook["timeoutSeconds"] <= 5 for hook in hooks(defaults))


def test_webhooks_are_called_for_every_kind(defaults: Rendered) -> None:
    kinds = {"models", "modelserves", "resourcecontracts"}
    expected = {(kind, operation) for kind in kinds for operation in ("CREATE", "UPDATE")}
    assert asked(defaults, "MutatingWebhookConfiguration") == expected
    assert expected <= asked(defaults, "ValidatingWebhookConfiguration")


def test_webhooks_are_called_for_scale(defaults: Rendered) -> None:
    answers = asked(defaults, "ValidatingWebhookConfiguration")
    assert ("modelserves/scale", "UPDATE") in answers


def test_server_can_be_deleted_without_the_webhooks(defaults: Rendered) -> None:
    for kind in CONFIGURATIONS:
        assert ("modelserves", "DELETE") not in asked(defaults, kind)


def test_webhooks_are_not_called_for_status(defaults: Rendered) -> None:
    for kind in CONFIGURATIONS:
        assert not any(resource.endswith("/status") for resource, _ in asked(defaults, kind))


def test_only_the_operator_changes_grants(chart: Chart, defaults: Rendered) -> None:
    spec = defaults.one("ValidatingAdmissionPolicy", "roadstead-granted")["spec"]
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert (rule["resources"], spec["failurePolicy"]) == (["modelserves/status"], "Fail")
    (exempt,) = spec["matchConditions"]
    assert "'system:serviceaccount:roadstead-system:roadstead-operator'" in exempt["expression"]
    bound = defaults.one("ValidatingAdmissionPolicyBinding", "roadstead-granted")["spec"]
    assert bound == {"policyName": "roadstead-granted", "validationActions": ["Deny"]}
    without = chart.render({"webhooks": {"enabled": False}})
    assert "roadstead-granted" not in without.names("ValidatingAdmissionPolicy")


def test_webhooks_are_called_for_objects_with_any_label(defaults: Rendered) -> None:
    assert not any("objectSelector" in hook for hook in hooks(defaults))


def test_webhooks_are_called_in_every_namespace(defaults: Rendered) -> None:
    assert not any("namespaceSelector" in hook for hook in hooks(defaults))


def test_outage_of_the_webhooks_affects_only_roadsteads_kinds(defaults: Rendered) -> None:
    groups = [rule["apiGroups"] for hook in hooks(defaults) for rule in hook["rules"]]
    assert groups
    assert all(each == ["model.example.com"] for each in groups)


def test_webhooks_declare_side_effects_that_dry_runs_skip(defaults: Rendered) -> None:
    effects = {hook["name"]: hook["sideEffects"] for hook in hooks(defaults)}
    assert effects == {
        "mutate.model.example.com": "None",
        "validate.model.example.com": "NoneOnDryRun",
    }


@pytest.mark.parametrize("values", [{}, EVERYTHING, GIVEN, CERT_MANAGER, CERTIFIED])
def test_settings_accept_the_environment_of_the_webhooks(
    chart: Chart, values: Values, tmp_path: Path
) -> None:
    rendered = chart.render(values)
    issuers = tmp_path / "issuers.yaml"
    issuers.write_text(rendered.one("ConfigMap", "roadstead-issuers")["data"]["issuers.yaml"])
    env = {**rendered.env("webhooks"), "ROADSTEAD_TOKEN_ISSUERS_FILE": str(issuers)}
    settings = WebhookSettings.from_env({**env, "ROADSTEAD_NAMESPACE": "roadstead-system"})
    assert settings.rules.operator == "system:serviceaccount:roadstead-system:roadstead-operator"
    assert settings.keeping is not None
    assert settings.keeping.receipts_secret == "roadstead-receipts"
    assert settings.keeping.names == ("roadstead-webhooks.roadstead-system.svc",)


def test_restorers_of_the_values_are_those_of_the_webhooks(
    chart: Chart, defaults: Rendered
) -> None:
    assert "ROADSTEAD_RESTORERS" not in defaults.env("webhooks")
    entry = {"serviceAccount": {"namespace": "velero", "name": "velero"}}
    values = {"tokens": {"restorers": [{**entry, "until": "2030-01-31T18:00:00Z"}]}}
    (found,) = read_restorers(EnvReader(chart.render(values).env("webhooks")))
    assert found.username == "system:serviceaccount:velero:velero"


def test_given_certificates_are_not_written(chart: Chart) -> None:
    for values in (GIVEN, CERT_MANAGER):
        assert "ROADSTEAD_TLS_SECRET" not in chart.render(values).env("webhooks")


def test_given_bundle_is_in_the_webhook_configurations(chart: Chart) -> None:
    rendered = chart.render(GIVEN)
    assert all(hook["clientConfig"]["caBundle"] for hook in hooks(rendered))
    volumes = rendered.one("Deployment", "roadstead-webhooks")["spec"]["template"]["spec"][
        "volumes"
    ]
    (tls,) = (each for each in volumes if each["name"] == "tls")
    assert tls["secret"]["secretName"] == "my-tls"


def test_cert_manager_issues_certificate_and_injects_bundle(chart: Chart) -> None:
    rendered = chart.render(CERT_MANAGER)
    certificate = rendered.one("Certificate", "roadstead-webhooks")
    assert certificate["spec"]["dnsNames"] == ["roadstead-webhooks.roadstead-system.svc"]
    for kind in CONFIGURATIONS:
        annotations = rendered.one(kind, "roadstead")["metadata"]["annotations"]
        source = annotations["cert-manager.io/inject-ca-from"]
        assert source == "roadstead-system/roadstead-webhooks"


def test_upgrade_does_not_change_what_the_webhooks_wrote(defaults: Rendered) -> None:
    for kind, name in (
        ("Secret", "roadstead-receipts"),
        ("Secret", "roadstead-webhooks-tls"),
        ("Secret", "roadstead-review-paths"),
        ("ConfigMap", "roadstead-receipt-keys"),
        ("ConfigMap", "roadstead-revocations"),
    ):
        assert "data" not in defaults.one(kind, name)
    assert not any("caBundle" in hook["clientConfig"] for hook in hooks(defaults))
    assert not any("path" in hook["clientConfig"]["service"] for hook in hooks(defaults))


@pytest.mark.parametrize("values", [{}, GIVEN, CERT_MANAGER], ids=["self", "given", "cert-manager"])
def test_webhooks_may_write_the_secret_path_with_any_certificate_mode(
    chart: Chart, values: Values
) -> None:
    rendered = chart.render(values)
    env = rendered.env("webhooks")
    assert env["ROADSTEAD_REVIEW_PATHS_SECRET"] == "roadstead-review-paths"
    assert env["ROADSTEAD_WEBHOOK_CONFIGURATION"] == "roadstead"
    (secrets,) = (
        rule
        for rule in rendered.one("Role", "roadstead-webhooks")["rules"]
        if rule["resources"] == ["secrets"]
    )
    assert "roadstead-review-paths" in secrets["resourceNames"]
    (configurations,) = (
        rule
        for rule in rendered.one("ClusterRole", "roadstead-webhooks")["rules"]
        if rule["apiGroups"] == ["admissionregistration.k8s.io"]
    )
    assert configurations["resourceNames"] == ["roadstead"]
    assert configurations["verbs"] == ["get", "patch"]


def test_client_certificate_of_the_api_server_replaces_the_secret_path(
    chart: Chart,
) -> None:
    rendered = chart.render(CERTIFIED)
    assert [hook["clientConfig"]["service"]["path"] for hook in hooks(rendered)] == [
        "/mutate",
        "/validate",
    ]
    assert "roadstead-review-paths" not in rendered.names("Secret")
    assert rendered.one("ConfigMap", "roadstead-api-server-ca")["data"]["ca.crt"] == PEM.strip()
    env = rendered.env("webhooks")
    assert env["ROADSTEAD_API_SERVER_NAMES"] == "kube-apiserver"
    pod = rendered.one("Deployment", "roadstead-webhooks")["spec"]["template"]["spec"]
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "api-server")
    assert env["ROADSTEAD_API_SERVER_CA_FILE"] == f"{mount['mountPath']}/ca.crt"


def test_changed_authority_of_the_api_server_restarts_the_webhooks(chart: Chart) -> None:
    other = PEM.replace("MIIB", "MIIC")
    marks = [
        chart.render({"webhooks": {"apiServer": {"clientCABundle": each, "clientNames": ["a"]}}})
        .one("Deployment", "roadstead-webhooks")["spec"]["template"]["metadata"]["annotations"]
        for each in (PEM, other)
    ]  # fmt: skip
    assert marks[0] != marks[1]


def test_only_configured_peers_reach_the_webhooks(chart: Chart) -> None:
    peer = {"ipBlock": {"cidr": "10.1.0.0/28"}}
    rendered = chart.render({"networkPolicy": {"webhooksFrom": [peer]}})
    (rule,) = rendered.one("NetworkPolicy", "roadstead-webhooks")["spec"]["ingress"]
    assert rule == {"from": [peer], "ports": [{"port": "https", "protocol": "TCP"}]}


def test_probes_and_metrics_of_the_webhooks_have_ports_of_their_own(defaults: Rendered) -> None:
    pod = defaults.one("Deployment", "roadstead-webhooks")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {each["name"]: str(each["containerPort"]) for each in container["ports"]}
    env = defaults.env("webhooks")
    assert ports == {
        "https": env["ROADSTEAD_HTTPS_PORT"],
        "http": env["ROADSTEAD_HTTP_PORT"],
        "probes": env["ROADSTEAD_PROBE_PORT"],
    }
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert {each["port"] for each in probes} == {"probes"}


def test_webhooks_can_read_the_rendered_issuers(chart: Chart, tmp_path: Path) -> None:
    data = chart.render(EVERYTHING).one("ConfigMap", "roadstead-issuers")["data"]
    path = tmp_path / "issuers.yaml"
    path.write_text(data["issuers.yaml"])
    local, login, partner = read_issuers(path)
    assert (local.issuer, str(local.secret_file)) == ("roadstead", "/etc/roadstead/jwt/secret")
    assert (login.jwks_url, login.groups_claim) == ("https://login.example.com/keys.json", "roles")
    assert str(partner.secret_file) == "/etc/roadstead/issuer-1/secret"
    assert local.prefixes == NamePrefixes()
    assert login.prefixes == NamePrefixes(subject="login:", groups="login:", scopes="login:")
    assert partner.prefixes.scopes == "partner/"


def test_public_key_is_mounted_as_a_file(chart: Chart) -> None:
    key = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n"
    issuer = {"issuer": "a", "audience": "r", "publicKey": key, **prefixes("a:")}
    rendered = chart.render({"tokens": {"issuers": [issuer]}})
    data = rendered.one("ConfigMap", "roadstead-issuers")["data"]
    (_, read) = yaml.safe_load(data["issuers.yaml"])
    assert data[Path(read["publicKeyFile"]).name] == key


def test_without_webhooks_none_of_their_objects_is_rendered(chart: Chart) -> None:
    rendered = chart.render({"webhooks": {"enabled": False}})
    assert not [each for each in rendered.objects if "webhook" in each["metadata"]["name"]]
    assert not any(rendered.of(kind) for kind in CONFIGURATIONS)
    assert rendered.env("operator")["ROADSTEAD_ADMISSION"] == "off"


def test_with_webhooks_the_operator_checks_receipts(defaults: Rendered) -> None:
    assert defaults.env("operator")["ROADSTEAD_ADMISSION"] == "required"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"tokens": {"local": {"enabled": False}}}, "have no issuer", id="no issuer"),
        pytest.param(
            {"tokens": {"issuers": [KEYLESS]}},
            "exactly one",
            id="an issuer without keys",
        ),
        pytest.param(
            {"tokens": {"issuers": [KEYLESS | {"existingSecret": "s"}]}},
            "issuer a has no subjectPrefix",
            id="two issuers without prefixes",
        ),
        pytest.param(
            {"tokens": {"issuers": [KEYLESS | {"existingSecret": "s", **prefixes("")}]}},
            "issuers roadstead and a have the same subjectPrefix",
            id="two issuers with the same prefix",
        ),
        pytest.param(
            {
                "tokens": {
                    "issuers": [KEYLESS | {"jwksUrl": "http://a.example.com", **prefixes("a:")}]
                }
            },
            "use https, or set allowHttp: true",
            id="keys without TLS",
        ),
        pytest.param(
            {"tokens": {"issuers": [KEYLESS | {"issuer": "roadstead", "existingSecret": "s"}]}},
            "two issuers of tokens are named roadstead",
            id="two issuers of one name",
        ),
        pytest.param(
            {"webhooks": {"certificates": {"mode": "cert-manager"}}}, "issuerRef.name", id="no ref"
        ),
        pytest.param(
            {"webhooks": {"certificates": {"issuerRef": {"name": "ca"}}}},
            "set it to cert-manager",
            id="a reference without its mode",
        ),
        pytest.param(
            {"webhooks": {"certificates": {"existingSecret": "tls"}}},
            "set it to given",
            id="a secret without its mode",
        ),
        pytest.param(
            {"webhooks": {"certificates": {"caBundle": PEM}}},
            "set it to given",
            id="an authority without its mode",
        ),
        pytest.param(
            {"webhooks": {"certificates": {"mode": "given"}}}, "existingSecret", id="no secret"
        ),
        pytest.param(
            {"webhooks": {"apiServer": {"clientCABundle": PEM}}},
            "set webhooks.apiServer.clientNames",
            id="an authority without names",
        ),
        pytest.param(
            {"webhooks": {"apiServer": {"clientNames": ["a"]}}},
            "set webhooks.apiServer.clientCABundle",
            id="names without an authority",
        ),
    ],
)
def test_contradictory_values_fail_with_advice(chart: Chart, values: Values, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(values)
