"""Rights that RBAC grants, and rights in an audit log."""

from typing import Any

import pytest

from dev.checks.rights import Right, granted, refused, unused, used

ME = "mine/operator"
SUBJECT = {"kind": "ServiceAccount", "namespace": "mine", "name": "operator"}


def role(*rules: dict[str, Any], kind: str = "ClusterRole", namespace: str = "") -> dict[str, Any]:
    metadata = {"name": "operator", **({"namespace": namespace} if namespace else {})}
    return {"kind": kind, "metadata": metadata, "rules": list(rules)}


def rule(verbs: str, resources: str = "pods", group: str = "", **more: list[str]) -> dict[str, Any]:
    return {
        "verbs": verbs.split(),
        "apiGroups": [group],
        "resources": resources.split(),
        **{key: value for key, value in more.items() if value},
    }


def binding(
    *, to: str = "ClusterRole", namespace: str = "", subject: dict[str, str] = SUBJECT
) -> dict[str, Any]:
    metadata = {"name": "operator", **({"namespace": namespace} if namespace else {})}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"kind": to, "name": "operator"},
        "subjects": [subject],
    }


def event(verb: str, resource: str = "pods", decision: str = "allow", **target: str) -> Any:
    return {
        "verb": verb,
        "user": {"username": "system:serviceaccount:mine:operator"},
        "requestURI": f"/api/v1/{resource}",
        "objectRef": {"resource": resource, "apiVersion": "v1", **target},
        "annotations": {"authorization.k8s.io/decision": decision},
    }


def right(verb: str, resource: str = "pods", **more: str) -> Right:
    return Right(account=ME, verb=verb, resource=resource, **more)


def test_rule_grants_every_combination() -> None:
    found = granted([role(rule("get list", "pods services"))], [binding()])
    assert found == {
        right(verb, resource) for verb in ("get", "list") for resource in ("pods", "services")
    }


def test_rules_of_a_role_are_combined() -> None:
    found = granted([role(rule("get"), rule("get list", "pods secrets"))], [binding()])
    assert len(found) == 4


def test_role_applies_to_the_namespace_of_its_binding_only() -> None:
    roles = [role(rule("get"), kind="Role", namespace="mine")]
    assert granted(roles, [binding(to="Role", namespace="mine")]) == {
        right("get", namespace="mine")
    }
    assert not granted(roles, [binding(to="Role", namespace="theirs")])


def test_cluster_role_bound_in_a_namespace_grants_no_paths() -> None:
    rules = [rule("get"), {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]
    assert granted([role(*rules)], [binding(namespace="mine")]) == {right("get", namespace="mine")}
    assert right("get", "/metrics") in granted([role(*rules)], [binding()])


def test_wildcard_path_is_not_a_resource() -> None:
    paths = {"verbs": ["get"], "nonResourceURLs": ["*"]}
    assert granted([role(paths)], [binding()]) == {right("get", "/*")}


def test_binding_without_role_or_account_grants_nothing() -> None:
    group = {"kind": "Group", "name": "system:serviceaccounts"}
    assert not granted([], [binding()])
    assert not granted([role(rule("get"))], [binding(subject=group)])


def test_resource_names_are_separate_rights() -> None:
    found = granted([role(rule("get", "secrets", resourceNames=["a", "b"]))], [binding()])
    assert found == {right("get", "secrets", name=name) for name in ("a", "b")}


def test_used_and_refused_rights_are_read_from_events() -> None:
    events = [event("list"), event("get", "secrets", "forbid", name="a", namespace="theirs")]
    assert used(events) == {right("list")}
    assert refused(events) == {right("get", "secrets", name="a", namespace="theirs")}


def test_events_of_users_are_ignored() -> None:
    by_hand = {**event("list"), "user": {"username": "admin"}}
    assert not used([by_hand])


def test_path_of_an_event_has_no_query() -> None:
    asked = {**event("get"), "requestURI": "/version?timeout=32s"}
    del asked["objectRef"]
    assert used([asked]) == {right("get", "/version")}


def test_subresource_is_a_separate_right() -> None:
    use = used([event("update", "models", subresource="status", name="a")])
    assert unused([right("update", "models"), right("update", "models/status")], use) == {
        right("update", "models")
    }


@pytest.mark.parametrize(
    ("grant", "use"),
    [
        (right("get"), right("get", namespace="any", name="any")),
        (right("get", namespace="mine"), right("get", namespace="mine", name="a")),
        (right("list", name="a"), right("list", name="a", namespace="mine")),
        (right("get", "*"), right("get", "pods/log")),
        (right("*", "*", group="*"), right("get", "deployments", group="apps")),
        (right("get", "*/scale"), right("get", "deployments/scale")),
        (right("get", "/healthz/*"), right("get", "/healthz/etcd")),
        (right("get", "/*"), right("get", "/healthz")),
    ],
)
def test_right_covers_what_rbac_allows(grant: Right, use: Right) -> None:
    assert grant.covers(use)


@pytest.mark.parametrize(
    ("grant", "use"),
    [
        (right("get"), right("list")),
        (right("get"), right("get", group="metrics.k8s.io")),
        (right("get", namespace="mine"), right("get", namespace="theirs")),
        (right("get", name="a"), right("get", name="b")),
        (right("list", name="a"), right("list")),
        (right("get", "pods"), right("get", "pods/log")),
        (right("get", "*/scale"), right("get", "deployments")),
        (right("get", "*"), right("get", "/metrics")),
        (right("get", "/healthz/*"), right("get", "/healthz")),
        (right("get"), Right(account="theirs/operator", verb="get", resource="pods")),
    ],
)
def test_right_covers_no_more(grant: Right, use: Right) -> None:
    assert not grant.covers(use)


def test_unused_right_is_reported() -> None:
    rights = granted([role(rule("get list delete", "secrets"))], [binding()])
    found = unused(rights, used([event("list", "secrets"), event("get", "secrets", name="a")]))
    assert [str(each) for each in found] == ["mine/operator: delete secrets in every namespace"]


@pytest.mark.parametrize("wide", [right("*"), right("get", "*"), right("get", group="*")])
def test_wildcard_always_counts_as_unused(wide: Right) -> None:
    assert unused([wide], [right("get")]) == {wide}
