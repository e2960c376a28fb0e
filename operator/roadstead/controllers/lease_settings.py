"""Settings of the election: the Lease and its times."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.kube.lease import MAX_LEASE_SECONDS, LeaseTimes
from roadstead.settings import EnvReader

_DEFAULT: Final = LeaseTimes()


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseSettings:
    """The Lease `name`, in the operator's namespace."""

    name: str
    times: LeaseTimes

    @classmethod
    def read(cls, env: EnvReader) -> LeaseSettings | None:
        """Read the settings; None without an election."""
        wanted = env.choice("ROADSTEAD_LEADER_ELECTION", ("required", "off"), "required")
        name = env.text("ROADSTEAD_LEASE_NAME", "roadstead-operator")
        duration = env.integer(
            "ROADSTEAD_LEASE_SECONDS", _DEFAULT.duration, low=3, high=MAX_LEASE_SECONDS
        )
        deadline = env.integer("ROADSTEAD_LEASE_DEADLINE_SECONDS", int(_DEFAULT.deadline))
        renew = env.integer("ROADSTEAD_LEASE_RENEW_SECONDS", int(_DEFAULT.renew))
        if not renew < deadline < duration:
            env.fault(
                "ROADSTEAD_LEASE_SECONDS",
                f"{duration} must be more than ROADSTEAD_LEASE_DEADLINE_SECONDS ({deadline}), "
                f"which must be more than ROADSTEAD_LEASE_RENEW_SECONDS ({renew})",
            )
        if wanted == "off":
            return None
        times = LeaseTimes(duration=duration, deadline=deadline, renew=renew)
        return cls(name=name, times=times)
