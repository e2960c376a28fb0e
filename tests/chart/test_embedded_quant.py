"""The chart's own Quant service."""

from __future__ import annotations

import pytest

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.source.source_settings import QuantSettings
from tests.chart.test_rights import policy, ports
from tests.support.charts import (
    EMBEDDED_QUANT,
    JOBS,
    NO_GATEWAY,
    Chart,
    ChartRefused,
    Object,
    Rendered,
    Values,
)

NAME = "roadstead-quant"


def quant(**changes: object) -> Values:
    return {"quant": {"embedded": {**EMBEDDED_QUANT["quant"]["embedded"], **changes}}}


@pytest.fixture(scope="module")
def rendered(chart: Chart) -> Rendered:
    return chart.render({**EMBEDDED_QUANT, **NO_GATEWAY})


def allowed(rendered: Rendered, host: str, port: int) -> bool:
    env = {**rendered.operator_env(), "ROADSTEAD_NAMESPACE": "roadstead-system"}
    return OperatorSettings.from_env(env).allow.covers("https", host, port)


def test_settings_accept_the_environment_of_the_quant_service(rendered: Rendered) -> None:
    settings = QuantSettings.from_env(rendered.env("quant"))
    assert (settings.endpoint, settings.port) == ("https://s3.example.com:9443", 8090)


def test_by_default_there_is_none(defaults: Rendered) -> None:
    assert NAME not in defaults.names("Deployment")
    assert defaults.operator_env()["ROADSTEAD_QUANT_ENDPOINT"] == ""


def test_operator_asks_it_and_reads_from_its_s3_server(rendered: Rendered) -> None:
    endpoint = rendered.operator_env()["ROADSTEAD_QUANT_ENDPOINT"]
    assert endpoint == f"http://{NAME}.roadstead-system.svc:8090"
    assert allowed(rendered, "s3.example.com", 9443)


def test_urls_with_the_bucket_in_the_host_are_allowed(chart: Chart) -> None:
    found = chart.render(quant(addressing="virtualHost", bucket="gguf"))
    assert allowed(found, "gguf.s3.example.com", 9443)


def test_operator_and_service_mount_the_same_key(rendered: Rendered) -> None:
    holders = [
        pod["serviceAccountName"] for pod in rendered.pod_specs() if NAME in str(pod["volumes"])
    ]
    assert holders == ["roadstead-operator", NAME]


def test_only_the_operator_and_transfers_call_it(chart: Chart, rendered: Rendered) -> None:
    def callers(found: Rendered) -> list[str]:
        (rule,) = policy(found, NAME)["ingress"]
        labels = [each["podSelector"]["matchLabels"] for each in rule["from"]]
        return [each["app.kubernetes.io/component"] for each in labels]

    assert callers(rendered) == ["operator"]
    jobs = {"transfer": JOBS["transfer"], **EMBEDDED_QUANT}
    assert callers(chart.render(jobs)) == ["operator", "transfer"]


def test_operator_and_quant_service_reach_the_s3_server(rendered: Rendered) -> None:
    assert [ports(rule) for rule in policy(rendered, NAME)["egress"]] == [{53, 5353}, {9443}]
    *_, service, source = policy(rendered, "roadstead-operator")["egress"]
    assert (ports(service), ports(source)) == ({8090}, {9443})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"endpoint": "", "enabled": True}, "set quant.embedded.endpoint"),
        ({"existingSecret": ""}, "set quant.embedded.existingSecret"),
        ({"enabled": False}, "set quant.embedded.enabled=true"),
    ],
)
def test_incomplete_values_fail_with_advice(chart: Chart, values: Object, message: str) -> None:
    with pytest.raises(ChartRefused, match=message):
        chart.render(quant(**values))


def test_only_one_quant_service_is_the_default(chart: Chart) -> None:
    values = {"quant": {**EMBEDDED_QUANT["quant"], "endpoint": "https://quant.example.com"}}
    with pytest.raises(ChartRefused, match=r"clear quant\.endpoint"):
        chart.render(values)
