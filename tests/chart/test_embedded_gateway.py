"""The chart's own Traefik: its settings, certificate, rights, and what it refuses."""

from __future__ import annotations

import base64

import pytest
import yaml
from cryptography import x509

from dev.gateway.crds import crd_files
from dev.versions import TRAEFIK as TRAEFIK_VERSION
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.manifests import names
from roadstead.process.wiring import platform
from tests.chart.test_rights import policy, ports, verbs_of
from tests.support.charts import (
    CHART,
    EMBEDDED_GATEWAY,
    NO_GATEWAY,
    TRAEFIK,
    Chart,
    ChartRefused,
    Object,
    Rendered,
    Values,
)

NAME = "roadstead-gateway"
SERVICE = f"{NAME}.roadstead-system.svc"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KINDS = {
    *("ingressroutes", "ingressroutetcps", "ingressrouteudps", "middlewares", "middlewaretcps"),
    *("serverstransports", "serverstransporttcps", "tlsoptions", "tlsstores", "traefikservices"),
}
"""Traefik watches all of them, or doesn't start."""


@pytest.fixture(scope="module")
def public(chart: Chart) -> Rendered:
    return chart.render(EMBEDDED_GATEWAY)


def embedded(*, url: str = "https://models.example.com", **changes: object) -> Values:
    return {"gateway": {"url": url, "embedded": changes}}


def arguments(rendered: Rendered) -> list[str]:
    pod = rendered.one("Deployment", NAME)["spec"]["template"]["spec"]
    found: list[str] = pod["containers"][0]["args"]
    return found


def dynamic(rendered: Rendered) -> Object:
    found: Object = yaml.safe_load(rendered.one("ConfigMap", NAME)["data"]["tls.yaml"])
    return found


def operator_settings(rendered: Rendered) -> OperatorSettings:
    env = {**rendered.operator_env(), "ROADSTEAD_NAMESPACE": "roadstead-system"}
    return OperatorSettings.from_env(env)


def gateway_settings(rendered: Rendered) -> Object:
    gateway = operator_settings(rendered).gateway
    assert gateway is not None
    return {"kind": gateway.routing.kind, "url": gateway.url, "address": gateway.address}


def definitions(rendered: Rendered) -> list[str]:
    found = rendered.names("CustomResourceDefinition")
    return [name for name in found if name.endswith("traefik.io")]


def test_defaults_serve_at_the_address_of_a_forwarded_port(defaults: Rendered) -> None:
    url = "https://localhost:8443"
    assert gateway_settings(defaults) == {
        "kind": "traefik",
        "url": url,
        "address": f"{SERVICE}:443",
    }
    assert defaults.one("Service", NAME)["spec"]["type"] == "ClusterIP"
    assert defaults.env("forward-auth")["ROADSTEAD_GATEWAY_URL"] == url
    assert defaults.one("Deployment", "roadstead-console")


def test_servers_admit_only_its_pods_of_the_namespace(defaults: Rendered) -> None:
    (peer,) = platform(operator_settings(defaults)).gateway_peers
    assert peer["podSelector"] == {"matchLabels": names.GATEWAY_PODS}
    admitted = [
        each["metadata"]["name"]
        for each in defaults.of("Deployment")
        if names.GATEWAY_PODS.items() <= each["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert admitted == [NAME]


@pytest.mark.parametrize("kind", ["none", "traefik"])
def test_another_kind_of_gateway_starts_no_traefik(chart: Chart, kind: str) -> None:
    rendered = chart.render(NO_GATEWAY if kind == "none" else TRAEFIK)
    found = [each["metadata"]["name"] for each in rendered.objects]
    assert not definitions(rendered)
    assert found.count(NAME) == (0 if kind == "none" else 1), "the Secret with the key"
    assert "ROADSTEAD_GATEWAY_SERVICE" not in rendered.operator_env()


def test_the_image_has_the_version_that_the_tests_run(defaults: Rendered) -> None:
    pod = defaults.one("Deployment", NAME)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"docker.io/library/traefik:{TRAEFIK_VERSION}"


def test_definitions_are_those_of_the_pinned_traefik() -> None:
    assert (CHART / "files/traefik/crds.yaml").read_bytes() == crd_files()[0].read_bytes()


def test_definitions_are_kept_when_the_release_is_uninstalled(defaults: Rendered) -> None:
    found = [each for each in defaults.of("CustomResourceDefinition") if "traefik.io" in str(each)]
    assert {each["spec"]["names"]["plural"] for each in found} == KINDS
    for each in found:
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize(("value", "number"), [("auto", 10), (True, 10), (False, 0)])
def test_definitions_can_be_left_to_somebody_else(chart: Chart, value: object, number: int) -> None:
    assert len(definitions(chart.render(embedded(crds=value)))) == number


def test_traefik_reads_what_its_provider_requires_and_writes_nothing(public: Rendered) -> None:
    rights = verbs_of(public.one("ClusterRole", NAME))
    assert {verb for verbs in rights.values() for verb in verbs} == {"list", "watch"}
    core = {("", "services"), ("", "secrets"), ("", "configmaps")}
    slices = {("discovery.k8s.io", "endpointslices")}
    assert rights.keys() == core | slices | {("traefik.io", kind) for kind in KINDS}


def test_traefik_reads_only_the_listed_namespaces(chart: Chart) -> None:
    rendered = chart.render(embedded(namespaces=["team-b", "team-a"]))
    read = ["roadstead-system", "team-a", "team-b"]
    assert f"--providers.kubernetesCRD.namespaces={','.join(read)}" in arguments(rendered)
    roles = [each["metadata"] for each in rendered.of("Role")]
    assert [meta["namespace"] for meta in roles if meta["name"] == NAME] == read
    assert NAME not in rendered.names("ClusterRole")


def test_traefik_serves_only_what_the_operator_writes(public: Rendered) -> None:
    given = arguments(public)
    (selector,) = (each for each in given if "labelSelector" in each)
    assert selector.endswith("=app.kubernetes.io/managed-by=roadstead,app.kubernetes.io/name")
    assert not [each for each in given if "kubernetesIngress" in each or "ingressClass" in each]
    assert not public.of("IngressClass")


def test_service_has_its_type_ports_and_annotations(chart: Chart) -> None:
    service = {
        "type": "LoadBalancer",
        "nodePorts": {"websecure": 30443},
        "annotations": {"example.com/internal": "true"},
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
    }
    found = chart.render(embedded(service=service)).one("Service", NAME)
    assert found["metadata"]["annotations"] == service["annotations"]
    assert found["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]
    ports = [(each["port"], each.get("nodePort")) for each in found["spec"]["ports"]]
    assert ports == [(80, None), (443, 30443)]


def test_plain_http_is_redirected_to_the_port_that_callers_use(chart: Chart) -> None:
    rendered = chart.render(embedded(url="https://models.example.com:8443"))
    assert "--entryPoints.web.http.redirections.entryPoint.to=:8443" in arguments(rendered)


def decoded(rendered: Rendered, secret: str, key: str) -> bytes:
    return base64.b64decode(rendered.one("Secret", secret)["data"][key])


def test_certificate_is_signed_by_the_authority_that_clients_get(chart: Chart) -> None:
    values = {**EMBEDDED_GATEWAY, "console": {"url": "https://console.example.com"}}
    rendered = chart.render(values)
    bundle = rendered.one("ConfigMap", f"{NAME}-ca")["data"]["ca.crt"]
    authority = x509.load_pem_x509_certificate(bundle.encode())
    leaf = x509.load_pem_x509_certificate(decoded(rendered, f"{NAME}-tls", "tls.crt"))
    leaf.verify_directly_issued_by(authority)
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = ["models.example.com", "console.example.com", SERVICE]
    assert alternative.get_values_for_type(x509.DNSName) == hosts


def test_key_of_the_authority_is_not_mounted(public: Rendered) -> None:
    assert [pod for pod in public.pod_specs() if f"'secretName': '{NAME}-ca'" in str(pod)] == []
    assert public.one("Secret", f"{NAME}-ca")["metadata"]["annotations"] == {
        "argocd.argoproj.io/sync-options": "Prune=false",
        "helm.sh/resource-policy": "keep",
    }


def test_operator_and_console_trust_the_authority(chart: Chart) -> None:
    rendered = chart.render({**EMBEDDED_GATEWAY, "console": {"url": "https://c.example.com"}})
    for part in ("operator", "console"):
        path = rendered.env(part)["ROADSTEAD_GATEWAY_CA_FILE"]
        assert path == "/etc/roadstead/gateway-ca/ca.crt"


def test_traefik_gets_no_certificate_in_a_list_that_it_logs_with_the_key(public: Rendered) -> None:
    tls = dynamic(public)["tls"]
    assert tls.keys() == {"stores", "options"}
    assert tls["stores"]["default"]["defaultCertificate"]["keyFile"].endswith("/tls.key")
    assert tls["options"]["default"]["minVersion"] == "VersionTLS12"


def test_certificate_can_be_for_an_address(chart: Chart) -> None:
    address = chart.render(embedded(url="https://10.1.2.3"))
    leaf = x509.load_pem_x509_certificate(decoded(address, f"{NAME}-tls", "tls.crt"))
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in alternative.get_values_for_type(x509.IPAddress)] == ["10.1.2.3"]


def test_given_certificate_is_mounted_and_none_is_made(chart: Chart) -> None:
    certificate = {"mode": "given", "existingSecret": "tls"}
    rendered = chart.render(embedded(certificate=certificate))
    pod = rendered.one("Deployment", NAME)["spec"]["template"]["spec"]
    assert "'name': 'tls'" in str(pod["volumes"])
    assert not [name for name in rendered.names("Secret") if name.startswith(f"{NAME}-")]
    assert "ROADSTEAD_GATEWAY_CA_FILE" not in rendered.operator_env()


def test_cert_manager_makes_the_certificate_for_the_public_hosts(chart: Chart) -> None:
    certificate = {"mode": "cert-manager", "issuerRef": {"name": "letsencrypt"}}
    spec = chart.render(embedded(certificate=certificate)).one("Certificate", NAME)["spec"]
    assert spec["dnsNames"] == ["models.example.com"]
    assert spec["issuerRef"]["name"] == "letsencrypt"
    assert spec["secretName"] == f"{NAME}-tls"


def test_only_pods_of_the_gateway_call_forward_auth_and_the_console(public: Rendered) -> None:
    pods = policy(public, NAME)["podSelector"]
    for name in ("roadstead-forward-auth", "roadstead-console"):
        (rule,) = policy(public, name)["ingress"]
        assert rule["from"] == [{"podSelector": pods}]


def test_traefik_calls_the_api_forward_auth_the_console_and_servers(public: Rendered) -> None:
    egress = policy(public, NAME)["egress"]
    assert [ports(rule) for rule in egress] == [{53, 5353}, {443, 6443}, {8080}, {8080}]


@pytest.mark.parametrize(
    ("gateway", "message"),
    [
        pytest.param({"namespace": "traefik"}, "clear gateway.namespace", id="namespace"),
        pytest.param({"address": "traefik:443"}, "clear gateway.address", id="address"),
        pytest.param({"certResolver": "acme"}, "clear gateway.certResolver", id="resolver"),
        pytest.param({"entryPoints": ["web"]}, "clear gateway.entryPoints", id="entry-points"),
        pytest.param({"caBundle": PEM}, "clear gateway.caBundle", id="ca"),
        pytest.param(
            {"embedded": {"service": {"type": "NodePort"}}}, "set gateway.url", id="node-port"
        ),
        pytest.param(
            {"embedded": {"service": {"nodePorts": {"web": 30080}}}},
            "service.type=NodePort",
            id="node-ports-of-a-cluster-ip",
        ),
        pytest.param(
            {"embedded": {"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}},
            "service.type=LoadBalancer",
            id="source-ranges-of-a-cluster-ip",
        ),
        pytest.param(
            {"embedded": {"certificate": {"mode": "given", "existingSecret": "a"}}},
            "set gateway.url",
            id="certificate-for-no-host",
        ),
        pytest.param(
            {"url": "https://a.example.com", "embedded": {"certificate": {"mode": "given"}}},
            "set gateway.embedded.certificate.existingSecret",
            id="no-secret",
        ),
        pytest.param(
            {"embedded": {"certificate": {"existingSecret": "a"}}}, "mode=given", id="no-mode"
        ),
        pytest.param(
            {"url": "https://a.example.com", "embedded": {"certificate": {"mode": "cert-manager"}}},
            "set gateway.embedded.certificate.issuerRef.name",
            id="no-issuer",
        ),
    ],
)
def test_contradictory_values_fail_with_advice(chart: Chart, gateway: Object, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render({"gateway": gateway})
