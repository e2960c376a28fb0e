"""The setting of who may restore objects, and until when."""

from __future__ import annotations

import datetime

import pytest

from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader
from roadstead_webhooks.admission.restorers import Restorer, find_restorer, read_restorers

UNTIL = datetime.datetime(2030, 1, 31, 18, 0, tzinfo=datetime.UTC)


def read(text: str) -> tuple[Restorer, ...]:
    env = EnvReader({"ROADSTEAD_RESTORERS": text})
    found = read_restorers(env)
    env.done()
    return found


def test_nobody_restores_by_default() -> None:
    assert read("") == ()


def test_service_account_is_known_by_its_user_name() -> None:
    (found,) = read(
        '[{"serviceAccount": {"namespace": "velero", "name": "server"},'
        ' "until": "2030-01-31T19:00:00+01:00"}]'
    )
    assert found == Restorer(username="system:serviceaccount:velero:server", until=UNTIL)


@pytest.mark.parametrize(
    "text",
    [
        "velero",
        "{}",
        '[{"user": "a"}]',
        '[{"until": "2030-01-31T18:00:00Z"}]',
        '[{"user": "", "until": "2030-01-31T18:00:00Z"}]',
        '[{"user": "a", "until": "2030-01-31T18:00:00"}]',
        '[{"user": "a", "until": "never"}]',
        '[{"serviceAccount": {"name": "a"}, "until": "2030-01-31T18:00:00Z"}]',
    ],
)
def test_unclear_restorer_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSettings, match="expected a list such as"):
        read(text)


def test_latest_time_of_a_user_counts() -> None:
    early = Restorer(username="a", until=UNTIL - datetime.timedelta(days=1))
    late = Restorer(username="a", until=UNTIL)
    assert find_restorer([late, early], "a") is late
    assert find_restorer([late], "") is None
    assert late.is_over(UNTIL)
