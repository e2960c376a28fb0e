"""What is rendered, the API server takes: known fields only, and pods that may run where
the `restricted` Pod Security Standard is enforced."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from roadstead.api.modelserve import ModelServe
from roadstead.api.network_peers import ServerPeers
from roadstead.kube.drift import drifted
from roadstead.manifests.catalogue_manifests import model_for, template
from roadstead.manifests.modelserve_manifests import desired_objects, fetch_secret
from roadstead.manifests.rendering import Manifest
from tests.apiserver.conftest import Kubectl
from tests.support.builders.resources import make_model, make_platform, make_serve, of_kind

_CONFIG = {
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "imagePullSecrets": [{"name": "registry"}],
    "podLabels": {"team": "a"},
    "podAnnotations": {"note": "b\n---\nkind: Pod"},
    "terminationGracePeriodSeconds": 0,
    "startupTimeoutSeconds": 7200,
}
_RESOURCES = {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}}


@pytest.fixture
def restricted(kubectl: Kubectl, namespace: str) -> str:
    """A namespace that enforces the standard."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    assert kubectl("label", "namespace", namespace, label).returncode == 0
    return namespace


def _apply(kubectl: Kubectl, manifests: list[Manifest]) -> str:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    done = kubectl("apply", "--server-side", "--validate=strict", "-f", "-", manifest=listed)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def _within(namespace: str, name: str, **spec: Any) -> ModelServe:
    raw = make_serve(name, **spec).raw
    return ModelServe.parse({**raw, "metadata": {**raw["metadata"], "namespace": namespace}})


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        pytest.param("gemma", {}, id="plain"),
        pytest.param("gemma", {"config": _CONFIG, "resources": _RESOURCES}, id="full"),
        pytest.param("3." + "b" * 240, {}, id="a name that is no label"),
    ],
)
def test_every_object_is_taken(
    kubectl: Kubectl, restricted: str, name: str, spec: dict[str, Any]
) -> None:
    serve = _within(restricted, name, **spec)
    peer = {"ipBlock": {"cidr": "10.0.0.1/32"}}
    peers = ServerPeers(callers=(peer,), store=(peer,), dns=(peer,), dns_ports=(53, 5353))
    platform = make_platform(peers=peers)
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    secret = fetch_secret(serve, "http://store/a?b=c", expires)
    said = _apply(kubectl, [secret, *desired_objects(serve, make_model(), platform)])
    assert said.count("serverside-applied") == 5


def test_what_the_api_server_made_of_them_is_what_was_asked_for(
    kubectl: Kubectl, restricted: str
) -> None:
    serve = _within(restricted, "gemma", config=_CONFIG, resources=_RESOURCES)
    manifests = desired_objects(serve, make_model(), make_platform())
    _apply(kubectl, manifests)
    for manifest in manifests:
        got = kubectl("get", "-n", restricted, manifest["kind"], "gemma", "-o", "json")
        assert not drifted(manifest, json.loads(got.stdout)), manifest["kind"]


def test_the_pods_may_run_where_the_restricted_standard_is_enforced(
    kubectl: Kubectl, restricted: str
) -> None:
    serve = _within(restricted, "gemma", resources=_RESOURCES)
    deployment = of_kind(desired_objects(serve, make_model(), make_platform()), "Deployment")
    pod = deployment["spec"]["template"]
    pod = {**pod, "metadata": {**pod["metadata"], "name": "gemma", "namespace": restricted}}
    said = _apply(kubectl, [{"apiVersion": "v1", "kind": "Pod", **pod}])
    assert "serverside-applied" in said


def test_the_template_of_a_model_can_be_applied(kubectl: Kubectl, namespace: str) -> None:
    model = make_model(uid="3b241101-e2bb-4255-8caf-4136c566a962")
    text = template(model, namespace=namespace)
    done = kubectl("apply", "--validate=strict", "-f", "-", manifest=text)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_model_that_is_asked_of_the_quant_service_is_taken(kubectl: Kubectl) -> None:
    serve = make_serve(modelName="made-for-a-server", minioBucket="mine", minioPath="a/b.gguf")
    assert "made-for-a-server serverside-applied" in _apply(kubectl, [model_for(serve)])
