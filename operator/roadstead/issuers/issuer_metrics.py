"""Prometheus metrics of verified tokens."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

REMARKS: Final = Counter(
    "roadstead_token_remarks_total",
    "Valid tokens that lack groups: none, left out by the issuer (an overage), or some dropped.",
    ["issuer", "remark"],
)
