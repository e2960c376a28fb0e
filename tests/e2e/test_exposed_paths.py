"""A path of the webhooks that an error message showed expires."""

from __future__ import annotations

import re
from typing import Final

import pytest

from dev.demo.kubectl import Cluster
from tests.e2e.serves import Serves
from tests.e2e.test_forged_reviews import addresses, deletion, status
from tests.e2e.webhook_outage import WebhookOutage
from tests.support.waiting import wait_until

_PATH: Final = re.compile(r"https://[^/\s\"]+(/(?:mutate|validate)/[0-9a-f]{64})")


@pytest.mark.fault("R13", heals="the path that the error showed is replaced within 4 minutes")
def test_review_path_in_an_error_message_expires(
    cluster: Cluster, serves: Serves, webhook_outage: WebhookOutage
) -> None:
    # Two minutes from the outage, in which other tests run.
    shown = _PATH.search(webhook_outage.refusal)
    assert shown, webhook_outage.refusal
    body = deletion(serves.namespace)
    wait_until(
        lambda: {status(each, shown[1], body) for each in addresses(cluster)} == {403}, seconds=480
    )
    wait_until(serves.is_admitted)
