"""Pods in the chart: security, environment, and conditions for rendering."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.s3 import Addressing
from roadstead.transfer.transfer_settings import TransferSettings
from tests.support.charts import (
    EMBEDDED_QUANT,
    EVERYTHING,
    EXISTING_POSTGRES,
    EXISTING_STORE,
    GATEWAY_API,
    JOBS,
    NO_GATEWAY,
    NO_LEDGER,
    TRAEFIK,
    Chart,
    Object,
    Rendered,
    Values,
)

VARIANTS = [
    pytest.param({}, id="defaults"),
    pytest.param(EXISTING_STORE, id="existing-store"),
    pytest.param({"store": {"embedded": {"persistence": {"enabled": False}}}}, id="scratch-store"),
    pytest.param(EXISTING_POSTGRES, id="existing-postgres"),
    pytest.param(NO_LEDGER, id="no-ledger"),
    pytest.param(EVERYTHING, id="everything"),
    pytest.param(TRAEFIK, id="traefik"),
    pytest.param(GATEWAY_API, id="gateway-api"),
    pytest.param(JOBS, id="jobs"),
    pytest.param({**EMBEDDED_QUANT, **NO_GATEWAY}, id="embedded-quant"),
]
RESTRICTED_VOLUMES = {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim"}


class RecordingEnviron(dict[str, str]):
    """An environment that records the variables that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("values", VARIANTS)
def test_every_pod_meets_the_restricted_security_standard(chart: Chart, values: Values) -> None:
    for pod in chart.render(values).pod_specs():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for volume in pod["volumes"]:
            assert volume.keys() - {"name"} <= RESTRICTED_VOLUMES
        for container in pod["containers"] + pod.get("initContainers", []):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("values", VARIANTS)
def test_every_container_has_a_read_only_root_bounded_memory_and_probes(
    chart: Chart, values: Values
) -> None:
    for pod in chart.render(values).pod_specs():
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "memory" in container["resources"]["limits"]
            if pod.get("restartPolicy") != "Never":
                assert {"livenessProbe", "readinessProbe"} <= container.keys()


@pytest.mark.parametrize("values", VARIANTS)
def test_every_workload_has_its_own_service_account(chart: Chart, values: Values) -> None:
    rendered = chart.render(values)
    accounts = [pod["serviceAccountName"] for pod in rendered.pod_specs()]
    assert len(accounts) == len(set(accounts))
    assert set(accounts) == {each["metadata"]["name"] for each in rendered.of("ServiceAccount")}


def test_only_clients_of_the_api_get_a_token(chart: Chart) -> None:
    tokens = {
        pod["serviceAccountName"]: pod["automountServiceAccountToken"]
        for pod in chart.render(TRAEFIK).pod_specs()
    }
    assert tokens == {
        "roadstead-operator": True,
        "roadstead-uninstalling": True,
        "roadstead-webhooks": True,
        "roadstead-forward-auth": True,
        "roadstead-console": True,
        "roadstead-store": False,
        "roadstead-postgres": False,
        "roadstead-ledger-migrate": False,
        "roadstead-test": True,
    }


def test_every_variable_of_the_operator_is_read_by_its_settings(
    defaults: Rendered,
) -> None:
    environ = RecordingEnviron()
    # Without the DSN, no other variable of the ledger is read.
    environ["ROADSTEAD_LEDGER_DSN_FILE"] = "/etc/roadstead/ledger/dsn"
    environ["ROADSTEAD_GATEWAY_KIND"] = "traefik"
    with pytest.raises(Exception, match="is not set"):
        OperatorSettings.from_env(environ)
    assert defaults.operator_env().keys() <= environ.asked


@pytest.mark.parametrize("values", VARIANTS)
def test_settings_accept_the_environment_of_the_operator(chart: Chart, values: Values) -> None:
    env = chart.render(values).operator_env()
    settings = OperatorSettings.from_env({**env, "ROADSTEAD_NAMESPACE": "roadstead-system"})
    assert settings.transfer.store.bucket == "models"


def test_values_are_in_the_settings_of_the_operator(chart: Chart) -> None:
    values = {
        "source": {"allow": ["https://models.example.com", "10.0.0.0/8:9000"]},
        "transfer": {"concurrency": 3, "connections": 5},
        "fetch": {"urlTTLSeconds": 3000},
        "servers": {"pullSecrets": [{"name": "regcred"}, {"name": "mirror", "copy": True}]},
        "operator": {"logs": {"format": "console", "level": "debug"}},
    }
    settings = OperatorSettings.from_env(chart.render(values).operator_env())
    assert len(settings.allow.entries) == 2
    assert (settings.transfers, settings.transfer.connections) == (3, 5)
    assert settings.url_lifetime.total_seconds() == 3000
    assert (settings.log_format, settings.log_level) == ("console", "debug")
    assert [(each.name, each.copy) for each in settings.pull_secrets] == [
        ("regcred", False),
        ("mirror", True),
    ]


def test_rollout_starts_a_new_operator_before_stopping_the_old_one(defaults: Rendered) -> None:
    spec = defaults.one("Deployment", "roadstead-operator")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = defaults.one("PodDisruptionBudget", "roadstead-operator")["spec"]
    assert budget == {"maxUnavailable": 1, "selector": spec["selector"]}


def test_operators_prefer_different_nodes(defaults: Rendered) -> None:
    template = defaults.one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    (preferred,) = template["affinity"]["podAntiAffinity"].values()
    assert preferred[0]["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"


def test_placement_is_set_for_the_operator(chart: Chart) -> None:
    template = chart.render(EVERYTHING).one("Deployment", "roadstead-operator")["spec"]["template"]
    assert EVERYTHING["operator"]["podLabels"].items() <= template["metadata"]["labels"].items()
    annotations = template["metadata"]["annotations"]
    assert EVERYTHING["operator"]["podAnnotations"].items() <= annotations.items()
    for field in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert template["spec"][field] == EVERYTHING["operator"][field]


def test_init_containers_get_the_operators_image(chart: Chart) -> None:
    rendered = chart.render({"images": {"roadstead": "localhost/roadstead:dev"}})
    pod = rendered.one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "localhost/roadstead:dev"
    assert rendered.operator_env()["ROADSTEAD_OPERATOR_IMAGE"] == "localhost/roadstead:dev"


def test_embedded_store_is_the_one_that_the_operator_uses(defaults: Rendered) -> None:
    service = defaults.one("Service", "roadstead-store")
    assert service["spec"]["ports"][0]["port"] == 9000
    endpoint = defaults.operator_env()["ROADSTEAD_STORE_ENDPOINT"]
    assert endpoint == "http://roadstead-store.roadstead-system.svc:9000"


def test_existing_store_replaces_the_embedded_one(chart: Chart) -> None:
    rendered = chart.render(EXISTING_STORE)
    assert "roadstead-store" not in rendered.names("StatefulSet")
    assert rendered.operator_env()["ROADSTEAD_STORE_ENDPOINT"] == "https://s3.example.com:9443"
    pod = rendered.one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    assert set(store_keys(pod)) == {"s3-keys"}


def store_keys(pod: Object) -> dict[str, dict[str, bool]]:
    """Return the keys that a pod mounts for the store, by Secret, and whether each is required."""
    (volume,) = (each for each in pod["volumes"] if each["name"] == "store")
    found: dict[str, dict[str, bool]] = {}
    for source in volume["projected"]["sources"]:
        secret = source["secret"]
        needed = not secret.get("optional", False)
        found.setdefault(secret["name"], {}).update(
            {item["key"]: needed for item in secret["items"] if item["key"] == item["path"]}
        )
    return found


def test_session_token_of_the_store_is_mounted_if_present(chart: Chart) -> None:
    rendered = chart.render({**EXISTING_STORE, **JOBS})
    job = rendered.transfer_job()["spec"]["template"]["spec"]
    operator = rendered.one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    keys = {"accessKey": True, "secretKey": True, "sessionToken": False}
    assert store_keys(operator) == store_keys(job) == {"s3-keys": keys}
    (mount,) = (m for m in job["containers"][0]["volumeMounts"] if m["name"] == "store")
    access = TransferSettings.from_env(rendered.operator_env()).store
    assert str(access.session_token_file) == f"{mount['mountPath']}/sessionToken"


def test_addressing_of_the_store_is_by_path_unless_set(chart: Chart, defaults: Rendered) -> None:
    def addressing(rendered: Rendered) -> Addressing:
        return TransferSettings.from_env(rendered.operator_env()).store.addressing

    store = {**EXISTING_STORE["store"], "addressing": "virtualHost"}
    assert addressing(defaults) is Addressing.PATH
    assert addressing(chart.render({**EXISTING_STORE, "store": store})) is Addressing.VIRTUAL_HOST


def test_scratch_store_claims_no_volume(chart: Chart) -> None:
    rendered = chart.render({"store": {"embedded": {"persistence": {"enabled": False}}}})
    spec = rendered.one("StatefulSet", "roadstead-store")["spec"]
    assert "volumeClaimTemplates" not in spec
    assert {"name": "data", "emptyDir": {}} in spec["template"]["spec"]["volumes"]


def test_no_key_is_in_an_environment_or_an_argument(chart: Chart) -> None:
    for pod in chart.render(TRAEFIK).pod_specs():
        for container in pod["containers"]:
            assert all(
                "secretKeyRef" not in each.get("valueFrom", {}) for each in container.get("env", ())
            )


def test_the_key_for_the_quant_service_is_long_enough_for_its_signatures(
    defaults: Rendered,
) -> None:
    key = defaults.one("Secret", "roadstead-quant")["data"]["key"]
    assert len(base64.b64decode(key)) >= 32


def test_existing_secrets_are_not_written(chart: Chart) -> None:
    values = {
        **EXISTING_STORE,
        **EXISTING_POSTGRES,
        "quant": {"existingSecret": "quant-key"},
        "tokens": {"local": {"existingSecret": "jwt"}},
        "gateway": {**TRAEFIK["gateway"], "existingSecret": "gateway-key"},
    }
    assert not [each for each in chart.render(values).of("Secret") if "data" in each]
