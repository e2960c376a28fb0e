"""Rights of the components, and the network policies between them."""

from __future__ import annotations

from roadstead.api import group
from roadstead.api.network_peers import ServerPeers
from roadstead.kube import resources
from roadstead.manifests import names
from roadstead.settings import EnvReader
from tests.support.builders.tokens import prefixes
from tests.support.charts import (
    EMBEDDED_QUANT,
    EXISTING_STORE,
    GATEWAY_API,
    NO_GATEWAY,
    NO_LEDGER,
    TRAEFIK,
    Chart,
    Object,
    Rendered,
)

WRITES = {"create", "patch", "delete"}


def granted(rendered: Rendered, part: str = "operator") -> dict[tuple[str, str], set[str]]:
    """Return a component's cluster-wide verbs, by API group and resource."""
    return verbs_of(rendered.one("ClusterRole", f"roadstead-{part}"))


def verbs_of(role: Object) -> dict[tuple[str, str], set[str]]:
    """Return a role's verbs, by API group and resource."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for api_group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((api_group, resource), set()).update(rule["verbs"])
    return verbs


def policy(rendered: Rendered, name: str) -> Object:
    spec = rendered.one("NetworkPolicy", name)["spec"]
    assert isinstance(spec, dict)
    return spec


def ports(rule: Object) -> set[int | str]:
    return {each["port"] for each in rule.get("ports", ())}


def test_no_right_is_a_wildcard(chart: Chart) -> None:
    rendered = chart.render(TRAEFIK)
    for role in rendered.of("ClusterRole") + rendered.of("Role"):
        for (api_group, resource), verbs in verbs_of(role).items():
            assert "*" not in {api_group, resource, *verbs}


def test_secrets_are_neither_listed_nor_watched(defaults: Rendered) -> None:
    assert granted(defaults)["", "secrets"] == {"get", "create", "patch", "delete"}


def test_every_kind_of_child_can_be_watched_and_written(defaults: Rendered) -> None:
    for child in resources.CHILDREN:
        assert {"get", "list", "watch"} | WRITES == granted(defaults)[child.group, child.plural]


def test_operator_may_delete_and_not_create_routes_of_another_gateway_kind(
    chart: Chart, no_gateway: Rendered
) -> None:
    def may_make(rendered: Rendered) -> set[str]:
        rights = granted(rendered)
        return {
            each.plural for each in resources.ROUTES if "create" in rights[each.group, each.plural]
        }

    assert may_make(chart.render(TRAEFIK)) == {"ingressroutes", "middlewares"}
    assert may_make(chart.render(GATEWAY_API)) == {"httproutes", "middlewares"}
    assert may_make(no_gateway) == set()
    for each in resources.ROUTES:
        assert {"list", "delete"} <= granted(no_gateway)[each.group, each.plural]


def test_the_status_of_every_kind_can_be_replaced(defaults: Rendered) -> None:
    for kind in (resources.MODELS, resources.MODELSERVES, resources.RESOURCECONTRACTS):
        plural = kind.plural
        assert granted(defaults)[group.GROUP, f"{plural}/status"] == {"update"}


def test_only_the_operator_writes_the_status_of_servers(chart: Chart) -> None:
    rendered = chart.render(TRAEFIK)
    writers = [
        role["metadata"]["name"]
        for role in rendered.of("ClusterRole") + rendered.of("Role")
        if (group.GROUP, "modelserves/status") in verbs_of(role)
    ]
    assert writers == ["roadstead-operator"]


def test_operator_may_not_delete_models(defaults: Rendered) -> None:
    assert "delete" not in granted(defaults)[group.GROUP, "models"]


def test_each_role_is_bound_only_to_its_own_component(chart: Chart) -> None:
    rendered = chart.render(TRAEFIK)
    bindings = rendered.of("ClusterRoleBinding") + rendered.of("RoleBinding")
    assert len(bindings) == 11
    for binding in bindings:
        assert [each["name"] for each in binding["subjects"]] == [binding["roleRef"]["name"]]


def test_webhooks_may_write_only_listed_resources(defaults: Rendered) -> None:
    writes = {
        what: verbs - {"get", "list", "watch"}
        for what, verbs in granted(defaults, "webhooks").items()
        if verbs - {"get", "list", "watch"}
    }
    assert writes == {
        (group.GROUP, "resourcecontracts/status"): {"update"},
        ("", "events"): {"create"},
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): {"patch"},
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): {"patch"},
    }


def test_components_may_read_only_named_secrets_and_configmaps(chart: Chart) -> None:
    for role in chart.render(TRAEFIK).of("Role"):
        for rule in role["rules"]:
            if {"secrets", "configmaps"} & set(rule["resources"]):
                assert rule.get("resourceNames") or rule["verbs"] == ["create"]


def test_operator_may_write_only_its_own_lease(defaults: Rendered) -> None:
    (lease,) = defaults.names("Lease")
    rules = [
        each
        for each in defaults.one("Role", "roadstead-operator")["rules"]
        if each["resources"] == ["leases"]
    ]
    assert lease == defaults.operator_env()["ROADSTEAD_LEASE_NAME"]
    assert [(each.get("resourceNames"), each["verbs"]) for each in rules] == [
        ([lease], ["get", "patch"]),
        (None, ["create"]),
    ]
    assert (resources.LEASES.group, resources.LEASES.plural) not in granted(defaults)


def test_the_operator_never_reads_a_private_key_of_receipts(defaults: Rendered) -> None:
    role = defaults.one("Role", "roadstead-operator")
    assert verbs_of(role)["", "configmaps"] == {"get"}
    assert {resource for _, resource in verbs_of(role)} == {"configmaps", "leases"}


def test_webhooks_call_only_the_api_issuers_and_the_ledger(chart: Chart) -> None:
    issuers = [
        {"issuer": name, "audience": "r", "jwksUrl": f"https://{place}/keys.json", **prefixes(name)}
        for name, place in (("a", "a.example.com:9443"), ("b", "b.example.com"))
    ]
    rendered = chart.render({"tokens": {"issuers": issuers}})
    egress = policy(rendered, "roadstead-webhooks")["egress"]
    assert [ports(rule) for rule in egress] == [{53, 5353}, {443, 6443}, {443, 9443}, {5432}]


def test_each_workload_has_a_policy_for_both_directions(chart: Chart) -> None:
    rendered = chart.render(EMBEDDED_QUANT)
    workloads = rendered.of("Deployment") + rendered.of("StatefulSet")
    for workload in workloads:
        spec = policy(rendered, workload["metadata"]["name"])
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"].items() <= labels.items()
        assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_store_is_open_to_the_operator_and_by_it_to_namespaces_with_servers(
    chart: Chart, defaults: Rendered
) -> None:
    (rule,) = policy(defaults, "roadstead-store")["ingress"]
    assert rule["from"] == [{"podSelector": policy(defaults, "roadstead-operator")["podSelector"]}]
    assert defaults.operator_env()["ROADSTEAD_STORE_POLICY"] == "roadstead-store"
    for values in (EXISTING_STORE, {"networkPolicy": {"enabled": False}}):
        assert "ROADSTEAD_STORE_POLICY" not in chart.render(values).operator_env()
    assert policy(defaults, "roadstead-store")["egress"] == []


def test_only_configured_peers_call_the_operator(chart: Chart, defaults: Rendered) -> None:
    assert policy(defaults, "roadstead-operator")["ingress"] == []
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    rendered = chart.render({"networkPolicy": {"metricsFrom": [peer]}})
    (rule,) = policy(rendered, "roadstead-operator")["ingress"]
    assert rule["from"] == [peer]


def test_operator_reaches_sources_at_their_ports_alone(chart: Chart) -> None:
    values = {
        "quant": {"endpoint": "http://quant.example.com:8090"},
        "source": {"allow": ["https://a.example.com", "10.0.0.0/8:9000", "[fd00::1]:9001"]},
    }
    *_, sources = policy(chart.render(values), "roadstead-operator")["egress"]
    assert ports(sources) == {8090, 443, 9000, 9001}


def test_source_without_scheme_and_port_allows_both_ports(chart: Chart) -> None:
    rendered = chart.render({"source": {"allow": ["*.example.com"]}})
    *_, sources = policy(rendered, "roadstead-operator")["egress"]
    assert ports(sources) == {80, 443}


def test_operator_without_sources_reaches_servers_store_and_ledger(
    no_gateway: Rendered,
) -> None:
    egress = policy(no_gateway, "roadstead-operator")["egress"]
    expected = [{53, 5353}, {443, 6443}, {10250}, {8080}, {9000}, {5432}]
    assert [ports(rule) for rule in egress] == expected


def test_operator_without_usage_calls_neither_kubelets_nor_servers(chart: Chart) -> None:
    rendered = chart.render({"usage": {"intervalSeconds": 0}, **NO_GATEWAY})
    egress = policy(rendered, "roadstead-operator")["egress"]
    assert [ports(rule) for rule in egress] == [{53, 5353}, {443, 6443}, {9000}, {5432}]
    assert not {("", "nodes"), ("", "nodes/metrics")} & granted(rendered).keys()


def test_operator_may_read_only_addresses_and_metrics_of_nodes(defaults: Rendered) -> None:
    rights = granted(defaults)
    assert {what: verbs for what, verbs in rights.items() if "nodes" in what[1]} == {
        ("", "nodes"): {"get"},
        ("", "nodes/metrics"): {"get"},
    }
    assert rights["metrics.k8s.io", "pods"] == {"list"}


def test_operator_reads_metrics_of_servers_only(no_gateway: Rendered) -> None:
    egress = policy(no_gateway, "roadstead-operator")["egress"]
    (rule,) = (each for each in egress if ports(each) == {8080})
    assert rule["to"] == [
        {
            "namespaceSelector": {},
            "podSelector": {
                "matchLabels": {
                    group.LABEL_NAME: names.SERVER,
                    group.LABEL_MANAGED_BY: group.FIELD_MANAGER,
                }
            },
        }
    ]


def test_existing_store_is_reached_at_its_port(chart: Chart) -> None:
    peer = {"ipBlock": {"cidr": "10.9.0.0/16"}}
    given = {"networkPolicy": {"storePeers": [peer]}, "ledger": {"enabled": False}}
    rendered = chart.render({**EXISTING_STORE, **NO_GATEWAY, **given})
    *_, store = policy(rendered, "roadstead-operator")["egress"]
    assert (ports(store), store["to"]) == ({9443}, [peer])


def test_servers_policies_have_the_peers_of_the_values(chart: Chart) -> None:
    peer = {"ipBlock": {"cidr": "10.9.0.0/16"}}
    dns = {"peers": [peer], "ports": [53]}
    given = {"servers": {"callers": [peer]}, **NO_LEDGER}
    existing = {**EXISTING_STORE, **given, "networkPolicy": {"storePeers": [peer], "dns": dns}}
    embedded = {**given, "networkPolicy": {"dns": dns}}
    for values, store in ((existing, (peer,)), (embedded, ())):
        env = chart.render(values).operator_env()
        expected = ServerPeers(callers=(peer,), store=store, dns=(peer,), dns_ports=(53,))
        assert ServerPeers.read(EnvReader(env)) == expected


def test_servers_admit_the_pods_of_the_operator_and_no_others(defaults: Rendered) -> None:
    for deployment in defaults.of("Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        is_operator = deployment["metadata"]["name"] == "roadstead-operator"
        assert (names.OPERATOR_PODS.items() <= labels.items()) is is_operator


def test_names_are_resolved_with_kube_dns_a_node_local_cache_and_openshift(
    defaults: Rendered,
) -> None:
    for each in defaults.of("NetworkPolicy"):
        for rule in each["spec"].get("egress", ()):
            if 53 in ports(rule):
                assert [sorted(peer) for peer in rule["to"]] == [
                    ["namespaceSelector", "podSelector"],
                    ["ipBlock"],
                    ["namespaceSelector"],
                ]
                assert ports(rule) == {53, 5353}


def test_network_policies_can_be_disabled(chart: Chart) -> None:
    assert not chart.render({"networkPolicy": {"enabled": False}}).of("NetworkPolicy")
