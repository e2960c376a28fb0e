"""The children of a ModelServe."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from roadstead.api.network_peers import ServerPeers
from roadstead.api.pull_secrets import PullSecret
from roadstead.errors import InvalidResource
from roadstead.manifests.digest import digest_of
from roadstead.manifests.modelserve_manifests import (
    desired_objects,
    fetch_expiry,
    fetch_secret,
    starts_pods,
    without_needless_rollout,
)
from roadstead.manifests.rendering import Manifest
from tests.support.builders.resources import (
    DIGEST,
    SIZE,
    make_model,
    make_platform,
    make_serve,
    of_kind,
)

OPERATOR = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "roadstead-system"}},
    "podSelector": {
        "matchLabels": {
            "app.kubernetes.io/name": "roadstead",
            "app.kubernetes.io/component": "operator",
        }
    },
}
_NOON = datetime.datetime(2030, 1, 2, 12, 0, tzinfo=datetime.UTC)


def desired(kind: str, *, platform: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    serve = make_serve(**spec)
    return of_kind(desired_objects(serve, make_model(), make_platform(**platform or {})), kind)


def pod(**spec: Any) -> Manifest:
    found: Manifest = desired("Deployment", **spec)["spec"]["template"]
    return found


def server(**spec: Any) -> Manifest:
    (found,) = pod(**spec)["spec"]["containers"]
    return dict(found)


def fetch(**spec: Any) -> Manifest:
    (found,) = pod(**spec)["spec"]["initContainers"]
    return dict(found)


def test_the_children_are_four() -> None:
    found = desired_objects(make_serve(), make_model(), make_platform())
    assert [item["kind"] for item in found] == [
        "ServiceAccount",
        "NetworkPolicy",
        "Service",
        "Deployment",
    ]


def test_every_child_is_owned_labelled_and_has_a_digest() -> None:
    for item in desired_objects(make_serve(), make_model(), make_platform()):
        assert item["metadata"]["name"] == "gemma"
        assert item["metadata"]["namespace"] == "demo"
        assert item["metadata"]["ownerReferences"][0]["uid"] == "serve-uid"
        assert item["metadata"]["labels"] == {
            "app.kubernetes.io/name": "llama-server",
            "app.kubernetes.io/instance": "gemma",
            "app.kubernetes.io/managed-by": "roadstead",
            "model.example.com/server-uuid": "serve-uid",
            "model.example.com/model-uuid": "model-uid",
        }
        assert len(digest_of(item)) == 64


def test_the_same_is_rendered_each_time() -> None:
    first, second = (desired_objects(make_serve(), make_model(), make_platform()) for _ in "ab")
    assert first == second


def test_the_service_sends_port_80_to_the_servers_port() -> None:
    spec = desired("Service")["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["selector"] == {"model.example.com/server-uuid": "serve-uid"}
    assert [(port["name"], port["port"], port["targetPort"]) for port in spec["ports"]] == [
        ("http", 80, "http")
    ]
    assert server()["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]


def test_the_selector_selects_the_pods() -> None:
    deployment = desired("Deployment")
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_replicas_are_those_of_the_modelserve() -> None:
    assert desired("Deployment", replicas=3)["spec"]["replicas"] == 3
    assert desired("Deployment", replicas=0)["spec"]["replicas"] == 0


def test_a_change_rolls_out_without_downtime() -> None:
    assert desired("Deployment")["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert server()["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_changed_runtime_params_change_the_pod() -> None:
    assert pod(runtimeParams={"contextSize": 8192}) != pod()


def test_a_new_url_changes_no_pod_and_no_digest() -> None:
    serve = make_serve()
    later = _NOON + datetime.timedelta(hours=1)
    first = fetch_secret(serve, "http://store/a?sig=1", _NOON)
    second = fetch_secret(serve, "http://store/a?sig=2", later)
    assert digest_of(first) == digest_of(second)
    assert first["stringData"] == {"url": "http://store/a?sig=1"}
    assert (fetch_expiry(first), fetch_expiry(second)) == (_NOON, later)
    assert first["metadata"]["name"] == pod()["spec"]["volumes"][2]["secret"]["secretName"]


def test_a_url_is_in_no_object_but_its_secret() -> None:
    manifest = fetch_secret(make_serve(), "http://store/a?sig=1", _NOON)
    assert "sig=1" not in str(manifest["metadata"])


@pytest.mark.parametrize("text", ["", "soon", "2030-01-02"])
def test_invalid_expiry_is_unknown(text: str) -> None:
    secret = {"metadata": {"annotations": {"model.example.com/expires-at": text}}}
    assert fetch_expiry(secret) is None


def test_the_fetch_knows_what_to_expect() -> None:
    container = fetch(platform={"fetch_connections": 6})
    assert container["args"] == ["fetch"]
    assert container["image"] == "roadstead:1"
    assert {item["name"]: item["value"] for item in container["env"]} == {
        "ROADSTEAD_FETCH_URL_FILE": "/fetch/url",
        "ROADSTEAD_FETCH_TARGET": "/models/model.gguf",
        "ROADSTEAD_FETCH_SHA256": DIGEST,
        "ROADSTEAD_FETCH_SIZE": str(SIZE),
        "ROADSTEAD_FETCH_CONNECTIONS": "6",
    }


def test_the_server_reads_the_model_and_cannot_change_it() -> None:
    mounts = {mount["name"]: mount for mount in server()["volumeMounts"]}
    assert mounts["models"] == {"name": "models", "mountPath": "/models", "readOnly": True}
    assert "fetch" not in mounts
    assert server()["args"][:2] == ["--model", "/models/model.gguf"]


@pytest.mark.parametrize("size", [0, 1, SIZE, 70 * 2**30])
def test_the_volume_is_a_little_larger_than_the_model(size: int) -> None:
    (deployment,) = (
        item
        for item in desired_objects(make_serve(), make_model(sizeBytes=size), make_platform())
        if item["kind"] == "Deployment"
    )
    spec = deployment["spec"]["template"]["spec"]
    limit = spec["volumes"][0]["emptyDir"]["sizeLimit"]
    assert limit.endswith("Mi")
    room = int(limit.removesuffix("Mi")) * 2**20 - size
    assert 64 * 2**20 <= room <= size // 50 + 65 * 2**20
    requests = spec["initContainers"][0]["resources"]["requests"]
    assert requests["ephemeral-storage"] == limit


def test_every_pod_is_restricted() -> None:
    spec = pod()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] == "gemma"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["fsGroup"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_pod_has_no_credentials() -> None:
    spec = pod()["spec"]
    for container in (*spec["initContainers"], *spec["containers"]):
        assert not [item for item in container["env"] if "valueFrom" in item]
        assert "envFrom" not in container


def test_the_startup_probe_lasts_as_long_as_a_start_may() -> None:
    probe = server(config={"startupTimeoutSeconds": 90})["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 90
    assert probe["httpGet"] == {"path": "/health", "port": "http"}


def test_the_deployment_is_stuck_later_than_a_start_may_last() -> None:
    spec = desired("Deployment", config={"startupTimeoutSeconds": 7200})["spec"]
    assert spec["progressDeadlineSeconds"] > 7200


@pytest.mark.parametrize(("grace", "sleep"), [(0, None), (1, None), (3, 2), (60, 5), (3600, 5)])
def test_the_last_sleep_fits_the_grace_period(grace: int, sleep: int | None) -> None:
    config = {"terminationGracePeriodSeconds": grace}
    assert pod(config=config)["spec"]["terminationGracePeriodSeconds"] == grace
    lifecycle = server(config=config).get("lifecycle")
    assert lifecycle == (sleep and {"preStop": {"sleep": {"seconds": sleep}}})


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(
            {},
            {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "384Mi"}},
            id="no resources",
        ),
        pytest.param(
            {"requests": {"cpu": "1", "memory": "1Gi"}},
            {"requests": {"cpu": "1", "memory": "384Mi"}, "limits": {"memory": "384Mi"}},
            id="requests",
        ),
        pytest.param(
            {"limits": {"cpu": "2", "memory": "1Gi"}},
            {
                "requests": {"cpu": "2", "memory": "384Mi"},
                "limits": {"cpu": "2", "memory": "384Mi"},
            },
            id="limits count as requests",
        ),
        pytest.param(
            {"requests": {"memory": "32Mi"}, "limits": {"memory": "200Mi"}},
            {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "200Mi"}},
            id="small",
        ),
    ],
)
def test_fetch_requests_at_most_the_servers_resources(
    resources: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = fetch(resources=resources)["resources"]
    del found["requests"]["ephemeral-storage"]
    assert found == expected


def test_server_has_the_requested_resources() -> None:
    resources = {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "2Gi", "nvidia.com/gpu": 1},
    }
    assert server(resources=resources)["resources"] == resources
    assert server()["resources"] == {}


def test_invalid_quantity_is_reported_with_its_field() -> None:
    with pytest.raises(InvalidResource) as caught:
        server(resources={"limits": {"memory": "much"}})
    assert caught.value.field == "spec.resources.limits.memory"


def test_config_places_the_pod() -> None:
    config = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "registry"}],
    }
    assert config.items() <= pod(config=config)["spec"].items()


def test_config_chooses_the_servers_image_and_not_the_fetchs() -> None:
    config = {"image": "mine:2", "imagePullPolicy": "Always"}
    assert (server(config=config)["image"], server(config=config)["imagePullPolicy"]) == (
        "mine:2",
        "Always",
    )
    assert (fetch(config=config)["image"], fetch(config=config)["imagePullPolicy"]) == (
        "roadstead:1",
        "IfNotPresent",
    )


def test_user_labels_do_not_replace_own_labels() -> None:
    config = {
        "podLabels": {"team": "a", "model.example.com/server-uuid": "another"},
        "podAnnotations": {"note": "b"},
    }
    metadata = pod(config=config)["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["labels"]["model.example.com/server-uuid"] == "serve-uid"
    assert metadata["annotations"] == {"note": "b"}


def test_pods_name_the_pull_secrets_of_server_and_installation_once() -> None:
    secrets = (PullSecret(name="regcred"), PullSecret(name="mirror", copy=True))
    config = {"imagePullSecrets": [{"name": "own"}, {"name": "regcred"}]}
    found = desired("Deployment", platform={"pull_secrets": secrets}, config=config)
    names = [each["name"] for each in found["spec"]["template"]["spec"]["imagePullSecrets"]]
    assert names == ["own", "regcred", "gemma-pull-mirror"]
    assert "imagePullSecrets" not in pod()["spec"]


def test_pods_set_no_user_where_the_cluster_assigns_it() -> None:
    assert pod()["spec"]["securityContext"]["runAsUser"] == 65532
    deployment = desired("Deployment", platform={"fixed_user": False})
    security = deployment["spec"]["template"]["spec"]["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & security.keys()
    assert security["runAsNonRoot"] is True


def test_only_the_operator_the_gateway_and_listed_callers_may_call() -> None:
    gateway = {"podSelector": {"matchLabels": {"app": "traefik"}}}
    apps = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}
    platform = {"gateway_peers": (gateway,), "peers": ServerPeers(callers=(apps,))}
    (rule,) = desired("NetworkPolicy", platform=platform)["spec"]["ingress"]
    assert rule["from"] == [OPERATOR, gateway, apps]
    assert rule["ports"] == [{"port": 8080, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://minio:9000", 9000), ("https://s3.example.com", 443), ("http://minio", 80)],
)
def test_pod_may_connect_only_to_dns_and_the_store(endpoint: str, port: int) -> None:
    peer = {"ipBlock": {"cidr": "10.0.0.1/32"}}
    resolver = {"ipBlock": {"cidr": "169.254.20.10/32"}}
    peers = ServerPeers(store=(peer,), dns=(resolver,), dns_ports=(53, 5353))
    platform = make_platform(peers=peers)
    found = desired_objects(make_serve(), make_model(minioEndpoint=endpoint), platform)
    spec = of_kind(found, "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    dns, store = spec["egress"]
    assert dns["to"] == [resolver]
    assert [(item["port"], item["protocol"]) for item in dns["ports"]] == [
        (53, "UDP"),
        (53, "TCP"),
        (5353, "UDP"),
        (5353, "TCP"),
    ]
    assert store == {"ports": [{"port": port, "protocol": "TCP"}], "to": [peer]}


def test_dns_and_store_without_peers_are_limited_to_their_ports() -> None:
    dns, store = desired("NetworkPolicy")["spec"]["egress"]
    assert {item["port"] for item in dns["ports"]} == {53}
    assert "to" not in dns
    assert "to" not in store


def test_a_model_that_is_not_stored_has_no_servers() -> None:
    with pytest.raises(InvalidResource, match="not stored yet"):
        desired_objects(make_serve(), make_model(stored=False), make_platform())


_UPGRADED = {"operator_image": "roadstead:2"}


def test_an_upgrade_of_the_operator_restarts_no_server() -> None:
    before = desired("Deployment")
    after = desired("Deployment", platform=_UPGRADED)
    assert after != before
    assert without_needless_rollout(after, before) == before


def test_scaling_after_an_upgrade_restarts_no_server() -> None:
    before = desired("Deployment")
    after = without_needless_rollout(desired("Deployment", platform=_UPGRADED, replicas=2), before)
    assert after["spec"]["template"] == before["spec"]["template"]
    assert after["spec"]["replicas"] == 2
    assert digest_of(after) != digest_of(before)


def test_changed_pods_get_the_new_fetch_image() -> None:
    before = desired("Deployment")
    after = desired("Deployment", platform=_UPGRADED, runtimeParams={"contextSize": 512})
    assert without_needless_rollout(after, before) == after


def test_a_new_deployment_is_as_desired() -> None:
    deployment = desired("Deployment")
    assert without_needless_rollout(deployment, None) == deployment
    assert without_needless_rollout(deployment, {"metadata": {"name": "gemma"}}) == deployment


@pytest.mark.parametrize(
    ("before", "after", "starts"),
    [
        pytest.param(None, {}, True, id="new"),
        pytest.param(None, {"replicas": 0}, False, id="new, no replicas"),
        pytest.param({}, {}, False, id="same"),
        pytest.param({"replicas": 0}, {"replicas": 1}, True, id="from zero"),
        pytest.param({"replicas": 3}, {"replicas": 2}, False, id="fewer"),
        pytest.param({}, {"runtimeParams": {"contextSize": 512}}, True, id="other pods"),
    ],
)
def test_creation_of_pods_is_predicted(
    before: dict[str, Any] | None, after: dict[str, Any], starts: bool
) -> None:
    observed = None if before is None else desired("Deployment", **before)
    assert starts_pods(desired("Deployment", **after), observed) == starts
