"""The uninstall hook, which removes the finalizers of Models after the operator is deleted."""

from __future__ import annotations

import pytest

from roadstead.api import group
from tests.support.charts import EVERYTHING, Chart, Object, Rendered

NAME = "roadstead-uninstalling"
KINDS = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Job"]


def marks(rendered: Rendered, kind: str) -> Object:
    found: Object = rendered.one(kind, NAME)["metadata"]["annotations"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_uninstall_hook_runs_after_everything_else_is_deleted(
    defaults: Rendered, kind: str
) -> None:
    found = marks(defaults, kind)
    assert found["helm.sh/hook"] == "post-delete"
    assert found["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"


def test_rights_of_the_uninstall_hook_are_created_before_it_starts(defaults: Rendered) -> None:
    weights = [int(marks(defaults, kind)["helm.sh/hook-weight"]) for kind in KINDS]
    assert weights == [1, 1, 2, 1, 2, 3]


def test_uninstall_hook_waits_for_the_operators_and_acquires_their_lease(
    defaults: Rendered,
) -> None:
    (container,) = defaults.one("Job", NAME)["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        "release-models",
        "--operator",
        "roadstead-system/roadstead-operator",
    ]
    assert defaults.one("Lease", "roadstead-operator")


def test_uninstall_hook_may_only_patch_models_and_delete_the_lease(defaults: Rendered) -> None:
    assert defaults.one("ClusterRole", NAME)["rules"] == [
        {"apiGroups": [group.GROUP], "resources": ["models"], "verbs": ["get", "list", "patch"]}
    ]
    pods, leases = defaults.one("Role", NAME)["rules"]
    assert pods == {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    assert (leases["resourceNames"], leases["verbs"]) == (["roadstead-operator"], ["delete"])


def test_uninstall_hook_has_the_placement_of_the_operator(chart: Chart) -> None:
    pod = chart.render(EVERYTHING).one("Job", NAME)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert pod["imagePullSecrets"] == [{"name": "mirror"}, {"name": "registry"}]
