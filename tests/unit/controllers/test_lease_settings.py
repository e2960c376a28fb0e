"""Settings of the election."""

import pytest

from roadstead.controllers.lease_settings import LeaseSettings
from roadstead.errors import InvalidSettings
from roadstead.kube.lease import LeaseTimes
from roadstead.settings import EnvReader


def read(**environ: str) -> LeaseSettings | None:
    env = EnvReader({f"ROADSTEAD_{name}": value for name, value in environ.items()})
    found = LeaseSettings.read(env)
    env.done()
    return found


def test_defaults_are_those_of_kubernetes() -> None:
    expected = LeaseTimes(duration=15, deadline=10, renew=2)
    assert read() == LeaseSettings(name="roadstead-operator", times=expected)


def test_the_election_can_be_disabled() -> None:
    assert read(LEADER_ELECTION="off") is None


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"LEASE_SECONDS": "10"}, id="no-time-for-what-is-under-way"),
        pytest.param({"LEASE_DEADLINE_SECONDS": "2"}, id="no-time-for-a-renewal"),
        pytest.param({"LEASE_DEADLINE_SECONDS": "15"}, id="as-long-as-the-lease"),
    ],
)
def test_times_that_allow_two_leaders_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match="must be more than"):
        read(**environ)
