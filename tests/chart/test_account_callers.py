"""`tokens.serviceAccounts`: nothing is rendered for an empty list."""

from __future__ import annotations

import pytest

from roadstead.settings import EnvReader
from roadstead_webhooks.admission.service_accounts import VARIABLE, read_accounts
from tests.support.charts import Chart, ChartRefused, Rendered, Values

NAME = "roadstead-requested-by"
ENTRY = {"namespace": "flux-system", "name": "applier", "groups": ["platform, a"]}
LISTED: Values = {"tokens": {"serviceAccounts": [ENTRY]}}


def test_nothing_is_rendered_without_accounts(defaults: Rendered) -> None:
    assert NAME not in defaults.names("ValidatingAdmissionPolicy")
    assert VARIABLE not in defaults.env("webhooks")


def test_webhooks_read_the_accounts_and_the_policy_is_bound(chart: Chart) -> None:
    rendered = chart.render(LISTED)
    env = EnvReader(rendered.env("webhooks"))
    groups = frozenset({"platform, a"})
    assert read_accounts(env) == {"system:serviceaccount:flux-system:applier": groups}
    binding = rendered.one("ValidatingAdmissionPolicyBinding", NAME)
    assert binding["spec"]["policyName"] == NAME


@pytest.mark.parametrize("change", [{"name": "*"}, {"groups": None}, {"scopes": []}])
def test_invalid_account_is_refused(chart: Chart, change: dict[str, object]) -> None:
    with pytest.raises(ChartRefused, match="serviceAccounts"):
        chart.render({"tokens": {"serviceAccounts": [{**ENTRY, **change}]}})
