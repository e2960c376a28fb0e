"""Requests and percentiles are read from metrics pages."""

import pytest

from bench.scale import counting

PAGE = """# HELP apiserver_request_total requests
# TYPE apiserver_request_total counter
apiserver_request_total{verb="POST",resource="secrets",subresource=""} 7
apiserver_request_total{verb="PUT",resource="modelserves",subresource="status"} 2
apiserver_request_total{verb="LIST",resource="pods",subresource=""} 3
apiserver_request_total{verb="PUT",resource="leases",subresource=""} 9
# TYPE lag_seconds histogram
lag_seconds_bucket{le="0.1"} 90
lag_seconds_bucket{le="0.5"} 100
lag_seconds_bucket{le="+Inf"} 100
"""


def test_only_requests_for_our_kinds_are_counted() -> None:
    found = counting.requests(PAGE)
    assert found["PUT", "modelserves/status"] == 2
    assert (counting.writes(found), counting.reads(found)) == (9, 3)


def test_percentile_is_within_its_bucket() -> None:
    found = counting.buckets(PAGE, "lag_seconds")
    assert counting.quantile(found, 0.95) == pytest.approx(0.3)


def test_lag_without_measurements_is_zero() -> None:
    assert counting.quantile({}, 0.99) == 0
