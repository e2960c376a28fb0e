"""adaptSecurityContext: whether the cluster assigns the users of pods."""

from __future__ import annotations

import pytest

from roadstead.controllers.operator_settings import OperatorSettings
from tests.support.charts import JOBS, NO_LEDGER, Chart, ChartRefused, Rendered, Values

OPENSHIFT = "security.openshift.io/v1"
FIELDS = {"runAsUser", "runAsGroup", "fsGroup"}


def sets_users(rendered: Rendered) -> set[bool]:
    """Whether pods set all of the fields, of every pod; one that sets only some fails."""
    found = set()
    for pod in rendered.pod_specs():
        fields = FIELDS & pod["securityContext"].keys()
        assert fields in (FIELDS, set())
        found.add(bool(fields))
    return found


def fixes_users_of_servers(rendered: Rendered) -> bool:
    return OperatorSettings.from_env(rendered.operator_env()).fixed_user


@pytest.mark.parametrize(
    ("mode", "apis", "sets"),
    [
        ("auto", [], True),
        ("auto", [OPENSHIFT], False),
        ("force", [], False),
        ("disabled", [OPENSHIFT], True),
    ],
)
def test_users_are_left_to_a_cluster_that_assigns_them(
    chart: Chart, mode: str, apis: list[str], sets: bool
) -> None:
    values: Values = {**NO_LEDGER, **JOBS, "adaptSecurityContext": mode}
    rendered = chart.render(values, apis=apis)
    assert sets_users(rendered) == {sets}
    assert fixes_users_of_servers(rendered) is sets


def test_users_are_set_by_default(defaults: Rendered) -> None:
    assert sets_users(defaults) == {True}


def test_embedded_postgres_is_refused_where_the_cluster_assigns_users(chart: Chart) -> None:
    with pytest.raises(ChartRefused, match=r"Set postgres\.embedded=false and ledger\.existing"):
        chart.render({"adaptSecurityContext": "force"})
    with pytest.raises(ChartRefused, match=r"adaptSecurityContext is auto"):
        chart.render({}, apis=[OPENSHIFT])
