"""A transfer as a Kubernetes Job: the chart's template, completed for one attempt. Pure."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Final

from roadstead.api import group
from roadstead.api.model import KIND
from roadstead.api.raw import Raw, section
from roadstead.manifests.names import LABEL_MODEL_UUID
from roadstead.manifests.rendering import Manifest

ANNOTATION_INPUTS: Final = f"{group.GROUP}/transfer-inputs"
ANNOTATION_ATTEMPT: Final = f"{group.GROUP}/transfer-attempt"
KEY: Final = "job"
"""The key in the Secret, and the name of the file that the pod reads."""
_OURS: Final = {group.LABEL_MANAGED_BY: group.FIELD_MANAGER}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferPlace:
    """The Model that a Job is for, and the namespace that the Job is in."""

    model_name: str
    model_uid: str
    namespace: str


def job_name(model_uid: str) -> str:
    """One name for each Model, so that a Model never has two Jobs."""
    return f"transfer-{model_uid}"


def transfer_job(template: Raw, place: TransferPlace, *, inputs: str, attempt: int) -> Manifest:
    """The Job; its pod mounts the Secret of the same name."""
    job: Manifest = copy.deepcopy(dict(template))
    labels = {**_OURS, LABEL_MODEL_UUID: place.model_uid}
    name = job_name(place.model_uid)
    job["metadata"] = {
        "name": name,
        "namespace": place.namespace,
        "labels": {**section(job, "metadata", "labels"), **labels},
        "annotations": {ANNOTATION_INPUTS: inputs, ANNOTATION_ATTEMPT: str(attempt)},
        "ownerReferences": [_model(place)],
    }
    pod = job["spec"]["template"]
    pod["metadata"] = {"labels": {**section(pod, "metadata", "labels"), **labels}}
    pod["spec"]["volumes"].append(
        {"name": KEY, "secret": {"secretName": name, "defaultMode": 0o440}}
    )
    (container,) = pod["spec"]["containers"]
    container["env"].append({"name": "ROADSTEAD_LOG_OBJECT", "value": f"model/{place.model_name}"})
    return job


def transfer_secret(job: Raw, text: str) -> Manifest:
    """The Secret with the transfer's input, which may contain a presigned URL; the Job owns it."""
    meta = section(job, "metadata")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": {**_OURS, LABEL_MODEL_UUID: meta["labels"][LABEL_MODEL_UUID]},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    # A Job that is deleted in the foreground waits for this Secret's deletion.
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "type": "Opaque",
        "stringData": {KEY: text},
    }


def _model(place: TransferPlace) -> dict[str, Any]:
    return {
        "apiVersion": group.API_VERSION,
        "kind": KIND,
        "name": place.model_name,
        "uid": place.model_uid,
    }
