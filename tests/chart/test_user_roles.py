"""ClusterRoles of users: what Kubernetes' own roles get, and what administrators bind."""

from __future__ import annotations

import pytest

from tests.support.charts import Chart, Rendered

AGGREGATED = "rbac.authorization.k8s.io/aggregate-to-"
ROLES = ("view", "edit", "catalogue-view", "catalogue-admin")


def rights(rendered: Rendered, name: str) -> set[tuple[str, str]]:
    rules = rendered.one("ClusterRole", f"roadstead-{name}")["rules"]
    assert all(rule["apiGroups"] == ["model.example.com"] for rule in rules)
    return {
        (verb, resource)
        for rule in rules
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


def targets(rendered: Rendered, name: str) -> set[str]:
    labels = rendered.one("ClusterRole", f"roadstead-{name}")["metadata"]["labels"]
    return {key.removeprefix(AGGREGATED) for key in labels if key.startswith(AGGREGATED)}


def test_roles_of_kubernetes_get_rights_on_modelserves_only(defaults: Rendered) -> None:
    assert {each: targets(defaults, each) for each in ROLES} == {
        "view": {"view"},
        "edit": {"edit", "admin"},
        "catalogue-view": set(),
        "catalogue-admin": set(),
    }
    for name in ("view", "edit"):
        kinds = {resource.partition("/")[0] for _, resource in rights(defaults, name)}
        assert kinds == {"modelserves"}


@pytest.mark.parametrize("name", ["view", "catalogue-view"])
def test_viewers_change_nothing(defaults: Rendered, name: str) -> None:
    assert {verb for verb, _ in rights(defaults, name)} == {"get", "list", "watch"}


@pytest.mark.parametrize("name", ["edit", "catalogue-admin"])
def test_nobody_may_write_a_status(defaults: Rendered, name: str) -> None:
    written = {resource for verb, resource in rights(defaults, name) if verb in ("update", "patch")}
    assert not [each for each in written if each.endswith("/status")]


def test_editors_scale_servers(defaults: Rendered) -> None:
    assert {("update", "modelserves/scale"), ("patch", "modelserves/scale")} <= rights(
        defaults, "edit"
    )


def test_administrators_of_the_catalogue_write_models_and_contracts(defaults: Rendered) -> None:
    written = {
        resource for verb, resource in rights(defaults, "catalogue-admin") if verb == "create"
    }
    assert written == {"models", "resourcecontracts"}


def test_no_role_is_bound_or_created_without_the_value(chart: Chart, defaults: Rendered) -> None:
    names = {f"roadstead-{each}" for each in ROLES}
    assert not [
        each
        for each in defaults.of("ClusterRoleBinding") + defaults.of("RoleBinding")
        if each["roleRef"]["name"] in names
    ]
    without = chart.render({"userRoles": {"enabled": False}})
    assert not names & set(without.names("ClusterRole"))
