"""The policies of the operator's and the webhooks' accounts, as the chart renders them."""

from __future__ import annotations

import pytest

from tests.support.charts import (
    EVERYTHING,
    GATEWAY_API,
    JOBS,
    NO_GATEWAY,
    TRAEFIK,
    Chart,
    Object,
    Rendered,
    Values,
)

POLICIES = {
    "roadstead-operator-objects": "roadstead-operator",
    "roadstead-operator-pods": "roadstead-operator",
    "roadstead-operator-deletions": "roadstead-operator",
    "roadstead-webhooks": "roadstead-webhooks",
}


def validations(rendered: Rendered, policy: str) -> str:
    """Return all expressions of a policy, with its variables."""
    spec = rendered.one("ValidatingAdmissionPolicy", policy)["spec"]
    parts: list[Object] = [*spec.get("variables", ()), *spec["validations"]]
    return "\n".join(str(part) for part in parts)


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_matches_one_account_and_denies(defaults: Rendered, policy: str) -> None:
    spec = defaults.one("ValidatingAdmissionPolicy", policy)["spec"]
    account = defaults.one("ServiceAccount", POLICIES[policy])["metadata"]
    name = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    (condition,) = spec["matchConditions"]
    assert condition["expression"] == f"request.userInfo.username == '{name}'"
    assert spec["failurePolicy"] == "Fail"
    binding = defaults.one("ValidatingAdmissionPolicyBinding", policy)["spec"]
    assert binding == {"policyName": policy, "validationActions": ["Deny"]}


def test_operator_may_write_pull_secrets_only_if_it_copies_some(chart: Chart) -> None:
    named = {"servers": {"pullSecrets": [{"name": "regcred"}]}}
    copied = {"servers": {"pullSecrets": [{"name": "regcred", "copy": True}]}}
    policy = "roadstead-operator-objects"
    assert "dockerconfigjson" not in validations(chart.render(named), policy)
    assert "dockerconfigjson" in validations(chart.render(copied), policy)


def test_account_policies_can_be_disabled(chart: Chart) -> None:
    rendered = chart.render({"accountPolicies": {"enabled": False}})
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        assert not POLICIES.keys() & {*rendered.names(kind)}


def test_without_webhooks_there_is_no_policy_for_their_account(chart: Chart) -> None:
    rendered = chart.render({"webhooks": {"enabled": False}})
    found = POLICIES.keys() & {*rendered.names("ValidatingAdmissionPolicy")}
    assert found == POLICIES.keys() - {"roadstead-webhooks"}


@pytest.mark.parametrize("values", [{}, TRAEFIK, GATEWAY_API, JOBS, EVERYTHING])
def test_every_kind_that_the_operator_may_write_is_in_a_policy(
    chart: Chart, values: Values
) -> None:
    rendered = chart.render(values)
    rules = [
        rule
        for role in (*rendered.of("ClusterRole"), *rendered.of("Role"))
        if role["metadata"]["name"] in ("roadstead-operator", "roadstead-transfer")
        for rule in role["rules"]
    ]
    written = {
        resource
        for rule in rules
        if {"create", "patch", "update"} & {*rule["verbs"]}
        for resource in rule["resources"]
    }
    spec = rendered.one("ValidatingAdmissionPolicy", "roadstead-operator-objects")["spec"]
    covered = {
        each for rule in spec["matchConstraints"]["resourceRules"] for each in rule["resources"]
    }
    others = {each for each in written - covered if "/" not in each}
    assert others <= {"models", "events", "leases"}


def test_operator_may_write_only_used_objects_in_the_releases_namespace(chart: Chart) -> None:
    plain = validations(chart.render(NO_GATEWAY), "roadstead-operator-objects")
    assert "transfer-" not in plain
    assert "-console" not in plain
    used = validations(chart.render({**JOBS, **TRAEFIK}), "roadstead-operator-objects")
    assert "'transfer-'" in used
    assert "'roadstead-console'" in used


def test_only_transfers_may_mount_the_config_map_of_authorities(chart: Chart) -> None:
    trusting = validations(
        chart.render({**JOBS, "trust": {"configMap": "private"}}), "roadstead-operator-pods"
    )
    (rule,) = [line for line in trusting.splitlines() if "configMap" in line]
    assert "request.resource.resource == 'jobs' && has(v.configMap)" in rule
    assert "== 'private'" in rule
    assert "configMap" not in validations(chart.render(JOBS), "roadstead-operator-pods")
