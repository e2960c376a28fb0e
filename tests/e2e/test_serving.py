"""From `kubectl apply` to an answer, and changes of a running server."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from dev.demo import chat
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from tests.e2e.repeating import Repeatedly
from tests.e2e.serves import MODEL, Serves, condition_of, make_serve
from tests.support.waiting import wait_until


def test_server_answers_with_its_key_only(cluster: Cluster, serves: Serves) -> None:
    serves.apply(make_serve())
    serves.until_ready()
    key = base64.b64decode(serves.get("secret", "gemma-key")["data"]["api-key"]).decode()
    assert chat.ask(cluster, serves.namespace, "gemma", key=key)
    with pytest.raises(DevError, match="401"):
        chat.ask(cluster, serves.namespace, "gemma")


def test_input_of_more_than_512_tokens_has_an_embedding(serves: Serves) -> None:
    params = {"mode": "Embedding", "contextSize": 2048, "extraArgs": ["--pooling", "mean"]}
    serves.apply(make_serve(runtimeParams={**params, "threads": 1}))
    serves.until_ready()
    key = base64.b64decode(serves.get("secret", "gemma-key")["data"]["api-key"]).decode()
    address = serves.get("service", "gemma")["spec"]["clusterIP"]
    request = urllib.request.Request(
        f"http://{address}/v1/embeddings",
        data=json.dumps({"model": MODEL, "input": "harbour " * 700}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    # A server is ready before each node's kube-proxy leads to it.
    answer = wait_until(lambda: answer_to(request))
    assert answer["usage"]["prompt_tokens"] > 512
    assert any(answer["data"][0]["embedding"])


def answer_to(request: urllib.request.Request) -> Any:
    """The parsed answer; None if the connection is refused."""
    try:
        with urllib.request.urlopen(request, timeout=240) as response:
            return json.load(response)
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError):
            raise
    return None


def test_kubectl_columns_have_values(cluster: Cluster, serves: Serves) -> None:
    serves.apply(make_serve())
    url = serves.until_ready()["status"]["url"]
    model = cluster.run("get", "model", MODEL, "--no-headers").split()
    assert model[:5] == [MODEL, "True", "100%", "241", "MiB"]
    serve = serves.kubectl("get", "modelserve", "gemma", "--no-headers").split()
    assert serve[:5] == ["gemma", MODEL, "True", "Ready", "1"]
    assert url in serve


def test_kubectl_scale_adds_and_removes_replicas(serves: Serves) -> None:
    # Half a minute: two servers load a model, and exit after their grace period.
    serves.apply(make_serve())
    serves.until_ready()
    serves.kubectl("scale", "modelserve", "gemma", "--replicas=2")
    wait_until(
        lambda: serves.get("modelserve", "gemma")["status"]["readyReplicas"] == 2, seconds=240
    )
    serves.kubectl("scale", "modelserve", "gemma", "--replicas=0")
    wait_until(lambda: not serves.pods(), seconds=120)
    # The Deployment counts its pods a moment after the last one is gone.
    wait_until(lambda: serves.get("modelserve", "gemma")["status"]["replicas"] == 0)
    serves.until("gemma", "WorkloadReady", "ScaledToZero")


def test_changed_runtime_params_roll_out_without_a_lost_request(
    cluster: Cluster, serves: Serves
) -> None:
    # Half a minute: a model is loaded twice, and the old pod exits after its last request.
    serves.apply(make_serve())
    serves.until_ready()
    before = serves.pods()[0]["metadata"]["uid"]
    address = serves.get("service", "gemma")["spec"]["clusterIP"]
    wait_until(lambda: answer_to(urllib.request.Request(f"http://{address}/health")))
    with Repeatedly(lambda: _read(f"http://{address}/health"), pause=0.02) as asking:
        serves.apply(make_serve(runtimeParams={"contextSize": 1024, "threads": 1}))
        wait_until(
            lambda: (
                [pod["metadata"]["uid"] for pod in serves.pods()] not in ([], [before])
                and len(serves.pods()) == 1
            ),
            seconds=240,
        )
        serves.until_ready()
        wait_until(lambda: asking.passed > 10)
    assert asking.failures == []


def test_objects_of_a_deleted_server_are_deleted(serves: Serves) -> None:
    serves.apply(make_serve())
    serves.until_ready()
    serves.kubectl("delete", "modelserve", "gemma")
    kinds = "deployments,services,secrets,networkpolicies,pods,serviceaccounts"
    wait_until(lambda: _names(serves, kinds) == ["default"], seconds=120)


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        pytest.param(
            {"config": {"image": "localhost/no-such-image:1"}},
            "ImagePullFailed",
            "no-such-image",
            id="image",
        ),
        pytest.param(
            {
                "runtimeParams": {"contextSize": 512, "threads": 1, "loadMode": "none"},
                "resources": {"limits": {"memory": "224Mi"}, "requests": {"memory": "224Mi"}},
            },
            "OutOfMemory",
            "224Mi",
            id="memory",
        ),
        pytest.param(
            {"resources": {"requests": {"cpu": "64"}, "limits": {"cpu": "64"}}},
            "Unschedulable",
            "cpu",
            id="node",
        ),
        pytest.param(
            {"modelName": "nobody-knows-this"}, "ModelUnknown", "nobody-knows-this", id="model"
        ),
    ],
)
def test_condition_has_the_reason_why_a_server_is_not_ready(
    serves: Serves, spec: dict[str, Any], reason: str, text: str
) -> None:
    serves.apply(make_serve(**spec))
    condition = condition_of(serves.until("gemma", "Ready", reason), "Ready")
    assert condition["status"] == "False"
    assert text in condition["message"]


def test_flag_that_is_not_allowed_is_denied(serves: Serves) -> None:
    params = {"extraArgs": ["--model-url", "http://example.com/x"]}
    with pytest.raises(DevError, match=r"InvalidRuntimeParams.*--model-url"):
        serves.apply(make_serve(runtimeParams=params))
    assert serves.get("modelserve", "gemma") == {}


def _names(serves: Serves, kinds: str) -> list[str]:
    items = json.loads(serves.kubectl("get", kinds, "-o", "json"))["items"]
    return [item["metadata"]["name"] for item in items]


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:
        body: bytes = response.read()
        return body
