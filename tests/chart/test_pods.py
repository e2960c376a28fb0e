"""What users may add to the chart's objects and pods."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead_webhooks.admission.endpoints import time_left
from tests.support.charts import EXTRA, JOBS, TRAEFIK, Chart, ChartRefused, Object, Rendered, Values

SECTIONS = {
    "operator": "operator",
    "webhooks": "webhooks",
    "forwardAuth": "forward-auth",
    "console": "console",
}
"""Sections of the values, and the names of their Deployments."""


def pod_of(rendered: Rendered, kind: str, name: str) -> Any:
    return rendered.one(kind, f"roadstead-{name}")["spec"]["template"]["spec"]


def with_all(part: Values) -> Values:
    """The same for each component."""
    sections = {name: {**TRAEFIK.get(name, {}), **part} for name in (*SECTIONS, "postgres")}
    return {
        **TRAEFIK,
        **sections,
        "store": {"embedded": part},
        "transfer": {"runner": "job", "job": part},
    }


def test_each_component_takes_more_variables_and_volumes(chart: Chart) -> None:
    rendered = chart.render(with_all(EXTRA))
    pods = [
        *(pod_of(rendered, "Deployment", name) for name in SECTIONS.values()),
        *(pod_of(rendered, "StatefulSet", name) for name in ("store", "postgres")),
        rendered.transfer_job()["spec"]["template"]["spec"],
    ]
    for pod in pods:
        (container,) = pod["containers"]
        assert EXTRA["extraEnv"][0] in container["env"]
        assert EXTRA["extraVolumes"][0] in pod["volumes"]
        assert EXTRA["extraVolumeMounts"][0] in container["volumeMounts"]


def test_spread_of_the_values_replaces_the_one_over_zones(chart: Chart) -> None:
    spread = [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]
    part = {"topologySpreadConstraints": spread}
    rendered = chart.render({**TRAEFIK, **dict.fromkeys(SECTIONS, part)})
    for name in SECTIONS.values():
        assert pod_of(rendered, "Deployment", name)["topologySpreadConstraints"] == spread


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        pytest.param({}, {"maxUnavailable": 1}, id="default"),
        pytest.param({"minAvailable": 1}, {"minAvailable": 1}, id="number"),
        pytest.param({"maxUnavailable": "50%"}, {"maxUnavailable": "50%"}, id="percentage"),
        pytest.param({"minAvailable": "1"}, {"minAvailable": 1}, id="text"),
    ],
)
def test_disruption_budget_has_the_number_of_the_values(
    chart: Chart, budget: Values, expected: Object
) -> None:
    rendered = chart.render(
        {**TRAEFIK, **{name: {"podDisruptionBudget": budget} for name in SECTIONS}}
    )
    for name in SECTIONS.values():
        spec = rendered.one("PodDisruptionBudget", f"roadstead-{name}")["spec"]
        deployment = rendered.one("Deployment", f"roadstead-{name}")["spec"]
        assert spec == {**expected, "selector": deployment["selector"]}


def test_disruption_budget_can_be_left_out(chart: Chart) -> None:
    off = {"podDisruptionBudget": {"enabled": False}}
    rendered = chart.render({**TRAEFIK, **dict.fromkeys(SECTIONS, off)})
    assert rendered.of("PodDisruptionBudget") == []


def test_common_labels_are_on_all_objects_and_pods(chart: Chart) -> None:
    values = {**TRAEFIK, **JOBS, "commonLabels": {"team": "platform"}, "crds": {"enabled": False}}
    rendered = chart.render(values)
    assert all(each["metadata"]["labels"]["team"] == "platform" for each in rendered.objects)
    for each in rendered.of("Deployment"):
        assert each["spec"]["template"]["metadata"]["labels"]["team"] == "platform"
        assert "team" not in each["spec"]["selector"]["matchLabels"]


def test_extra_objects_may_use_template_expressions(chart: Chart) -> None:
    extra = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "{{ .Release.Name }}-more", "namespace": "{{ .Release.Namespace }}"},
    }
    found = chart.render({"extraObjects": [extra, {**extra, "kind": "Secret"}]})
    place = {"name": "roadstead-more", "namespace": "roadstead-system"}
    assert found.one("ConfigMap", "roadstead-more")["metadata"] == place
    assert found.one("Secret", "roadstead-more")["metadata"] == place


def test_webhooks_listen_on_the_ports_of_the_values(chart: Chart) -> None:
    ports = {"port": 10250, "metricsPort": 9090, "probePort": 9091}
    rendered = chart.render({"webhooks": ports})
    env = rendered.env("webhooks")
    (container,) = pod_of(rendered, "Deployment", "webhooks")["containers"]
    listening = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert listening == {"https": 10250, "http": 9090, "probes": 9091}
    names = ("ROADSTEAD_HTTPS_PORT", "ROADSTEAD_HTTP_PORT", "ROADSTEAD_PROBE_PORT")
    assert [env[name] for name in names] == ["10250", "9090", "9091"]
    assert rendered.one("Service", "roadstead-webhooks")["spec"]["ports"][0]["port"] == 443


def test_webhooks_on_the_network_of_the_node_resolve_services(chart: Chart) -> None:
    rendered = chart.render({"webhooks": {"hostNetwork": True}})
    deployment = rendered.one("Deployment", "roadstead-webhooks")["spec"]
    pod = deployment["template"]["spec"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    # No node may have free ports for one more.
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_webhooks_decide_before_the_api_server_gives_up(chart: Chart) -> None:
    rendered = chart.render({"webhooks": {"timeoutSeconds": 30}})
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        (hook,) = rendered.one(kind, "roadstead")["webhooks"]
        assert hook["timeoutSeconds"] == 30
        # The API server sends its timeout with each request.
        assert time_left(f"{hook['timeoutSeconds']}s") < hook["timeoutSeconds"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(
            {"operator": {"podDisruptionBudget": {"minAvailable": 2}}},
            "so no pod can be evicted and nodes can't be drained",
            id="all-must-stay",
        ),
        pytest.param(
            {"webhooks": {"podDisruptionBudget": {"maxUnavailable": 0}}},
            "webhooks.podDisruptionBudget allows no pod to be evicted",
            id="none-may-go",
        ),
        pytest.param(
            {"operator": {"podDisruptionBudget": {"maxUnavailable": 1, "minAvailable": 1}}},
            "has both minAvailable and maxUnavailable",
            id="both",
        ),
        pytest.param(
            {"webhooks": {"port": 8080}},
            r"are \[8080 8080 8081\]: set a different",
            id="port-twice",
        ),
        pytest.param(
            {"commonLabels": {"app.kubernetes.io/name": "x"}}, "choose another key", id="own-label"
        ),
    ],
)
def test_contradictory_values_fail_with_advice(chart: Chart, values: Values, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(values)
