"""Pods under a policy that acts as OpenShift's SCC restricted-v2.

It is a model. OpenShift itself also assigns a user and an fsGroup to pods that set none. It allows
persistentVolumeClaims too, of which the pods here have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev import binaries
from roadstead.api.modelserve import ModelServe
from roadstead.manifests.modelserve_manifests import desired_objects
from tests.apiserver.conftest import Kubectl
from tests.support.builders.resources import make_model, make_platform, make_serve, of_kind
from tests.support.charts import TRAEFIK, Chart, Rendered
from tests.support.waiting import wait_until

Pod = dict[str, Any]

FORCE = {"adaptSecurityContext": "force", "ledger": {"enabled": False}}
JOBS = {"transfer": {"runner": "job"}}
FIXED = {"adaptSecurityContext": "disabled"}
USERS = (1000660000, 1000669999)
"""The range in a namespace's annotation openshift.io/sa.scc.uid-range."""
VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret")
_CONTAINERS = "(object.spec.containers + object.spec.?initContainers.orValue([]))"
_WITHIN = f"(%s.orValue({USERS[0]}) >= {USERS[0]} && %s.orValue({USERS[0]}) <= {USERS[1]})"
_POD = "object.spec.?securityContext.?"


def _within(field: str) -> str:
    return _WITHIN % (field, field)


RULES = {
    "the user is not in the range": (
        f"{_within(_POD + 'runAsUser')} && "
        f"{_CONTAINERS}.all(c, {_within('c.?securityContext.?runAsUser')})"
    ),
    "the fsGroup is not in the range": _within(_POD + "fsGroup"),
    "seccomp is not runtime/default": (
        f"{_POD}seccompProfile.?type.orValue('RuntimeDefault') == 'RuntimeDefault' && "
        f"{_CONTAINERS}.all(c, c.?securityContext.?seccompProfile.?type"
        ".orValue('RuntimeDefault') == 'RuntimeDefault')"
    ),
    "a container has privileges": (
        f"{_CONTAINERS}.all(c, !c.?securityContext.?privileged.orValue(false) && "
        "!c.?securityContext.?allowPrivilegeEscalation.orValue(false) && "
        "c.?securityContext.?capabilities.?add.orValue([]).all(a, a == 'NET_BIND_SERVICE'))"
    ),
    "the pod uses a namespace of its node": (
        "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false) && "
        "!object.spec.?hostIPC.orValue(false)"
    ),
    "a volume is of another type": (
        f"object.spec.?volumes.orValue([]).all(v, {json.dumps(VOLUMES)}.exists(t, t in dyn(v)))"
    ),
}


@pytest.fixture(scope="module")
def chart() -> Chart:
    return Chart(helm=binaries.ensure("helm")["helm"])


@pytest.fixture
def openshift(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """A namespace whose pods the policy judges."""
    name = f"restricted-v2-{namespace}"
    validations = [{"expression": rule, "message": text} for text, rule in RULES.items()]
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "matchConstraints": {
            "resourceRules": [{**pods, "operations": ["CREATE"]}],
            "namespaceSelector": selector,
        },
        "validations": validations,
    }
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    policy = {**group, "kind": "ValidatingAdmissionPolicy", "spec": spec}
    bound = {"policyName": name, "validationActions": ["Deny"]}
    binding = {**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound}
    for each in (policy, binding):
        done = kubectl("apply", "-f", "-", manifest=json.dumps(each))
        assert done.returncode == 0, done.stderr
    wait_until(lambda: "not in the range" in refusal(kubectl, namespace, other_pod()))
    yield namespace
    kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def refusal(kubectl: Kubectl, namespace: str, pod: Pod) -> str:
    """Why the API server refuses a pod; empty if it accepts it."""
    body = {"apiVersion": "v1", "kind": "Pod", **pod}
    body["metadata"] = {"name": "trial", "namespace": namespace}
    done = kubectl("create", "--dry-run=server", "-f", "-", manifest=json.dumps(body))
    return done.stderr if done.returncode else ""


def other_pod() -> Pod:
    """A pod that any version of the policy refuses."""
    container = {"name": "other", "image": "other:1"}
    return {"spec": {"containers": [container], "securityContext": {"runAsUser": 65532}}}


def chart_pods(rendered: Rendered) -> list[Pod]:
    """The chart's pods, with an emptyDir for each volume that a StatefulSet claims."""
    found = []
    for spec in rendered.pod_specs():
        mounts = {each["name"] for one in spec["containers"] for each in one["volumeMounts"]}
        missing = mounts - {each["name"] for each in spec["volumes"]}
        claimed = [{"name": name, "emptyDir": {}} for name in sorted(missing)]
        restart = spec.get("restartPolicy", "Always")
        volumes = [*spec["volumes"], *claimed]
        found.append({"spec": {**spec, "volumes": volumes, "restartPolicy": restart}})
    return found


def server_pod(namespace: str, *, fixed_user: bool) -> Pod:
    raw = make_serve("gemma").raw
    serve = ModelServe.parse({**raw, "metadata": {**raw["metadata"], "namespace": namespace}})
    objects = desired_objects(serve, make_model(), make_platform(fixed_user=fixed_user))
    return {"spec": of_kind(objects, "Deployment")["spec"]["template"]["spec"]}


@pytest.mark.parametrize(
    "values", [{}, TRAEFIK, JOBS], ids=["defaults", "traefik", "transfer jobs"]
)
def test_the_charts_pods_run_where_the_cluster_assigns_users(
    kubectl: Kubectl, openshift: str, chart: Chart, values: dict[str, Any]
) -> None:
    pods = chart_pods(chart.render({**values, **FORCE}))
    assert len(pods) > 3
    for pod in pods:
        assert refusal(kubectl, openshift, pod) == ""


def test_a_servers_pods_run_where_the_cluster_assigns_users(
    kubectl: Kubectl, openshift: str
) -> None:
    assert refusal(kubectl, openshift, server_pod(openshift, fixed_user=False)) == ""


def test_pods_with_a_fixed_user_are_refused(kubectl: Kubectl, openshift: str, chart: Chart) -> None:
    fixed = [*chart_pods(chart.render(FIXED)), server_pod(openshift, fixed_user=True)]
    for pod in fixed:
        assert "the user is not in the range" in refusal(kubectl, openshift, pod)
