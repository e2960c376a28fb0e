"""A transfer's Job and its Secret, created from a template."""

import copy
from typing import Any

from roadstead.manifests.transfer_job import (
    KEY,
    TransferPlace,
    job_name,
    transfer_job,
    transfer_secret,
)

PLACE = TransferPlace(model_name="gemma", model_uid="model-uid", namespace="roadstead-system")
TEMPLATE: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"labels": {"app.kubernetes.io/component": "transfer", "a/b": "job"}},
    "spec": {
        "backoffLimit": 6,
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/component": "transfer"}},
            "spec": {
                "containers": [{"name": "transfer", "env": [{"name": "A", "value": "b"}]}],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
}
OURS = {"app.kubernetes.io/managed-by": "roadstead", "model.example.com/model-uuid": "model-uid"}


def made() -> dict[str, Any]:
    return transfer_job(TEMPLATE, PLACE, inputs="abc", attempt=3)


def test_template_is_not_modified() -> None:
    before = copy.deepcopy(TEMPLATE)
    made()
    assert before == TEMPLATE


def test_job_is_named_after_its_model_and_owned_by_it() -> None:
    meta = made()["metadata"]
    assert (meta["name"], meta["namespace"]) == (job_name("model-uid"), "roadstead-system")
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Model", "gemma", "model-uid")


def test_job_and_pods_have_the_chart_s_labels_and_what_they_are_found_by() -> None:
    job = made()
    component = {"app.kubernetes.io/component": "transfer"}
    assert job["metadata"]["labels"] == {**component, "a/b": "job", **OURS}
    assert job["spec"]["template"]["metadata"]["labels"] == {**component, **OURS}


def test_attempt_is_an_annotation() -> None:
    assert made()["metadata"]["annotations"] == {
        "model.example.com/transfer-inputs": "abc",
        "model.example.com/transfer-attempt": "3",
    }


def test_the_pod_reads_the_secret_of_the_job_s_name() -> None:
    pod = made()["spec"]["template"]["spec"]
    assert pod["volumes"][-1]["secret"]["secretName"] == job_name("model-uid")
    assert pod["volumes"][0] == {"name": "tmp", "emptyDir": {}}


def test_what_the_pod_logs_is_about_its_model() -> None:
    (container,) = made()["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == {"name": "A", "value": "b"}
    assert container["env"][-1] == {"name": "ROADSTEAD_LOG_OBJECT", "value": "model/gemma"}


def test_deleted_job_waits_for_its_secret() -> None:
    job = made()
    job["metadata"]["uid"] = "job-uid"
    secret = transfer_secret(job, '{"url": 1}')
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["blockOwnerDeletion"]) == ("Job", "job-uid", True)
    assert secret["metadata"]["labels"] == OURS
    assert secret["stringData"] == {KEY: '{"url": 1}'}
