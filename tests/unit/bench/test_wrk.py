"""The output of wrk is parsed."""

import pytest

from bench.wrk import parse
from dev.errors import DevError

PRINTED = """Running 1s test @ http://127.0.0.1:8080/health
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.73ms    1.05ms  20.74ms   89.50%
    Req/Sec     9.60k     1.02k   11.29k    72.73%
  Latency Distribution
     50%  842.00us
     75%    1.93ms
     90%    2.67ms
     99%    1.20s
  10508 requests in 1.10s, 1.32MB read
Requests/sec:   9557.70
Transfer/sec:      1.20MB
"""


def test_rate_and_latencies_are_parsed() -> None:
    found = parse(PRINTED, "http://here")
    assert (found.per_second, found.p50, found.p99) == (9557.7, 0.842, 1200.0)


def test_failed_requests_raise_an_error() -> None:
    refused = PRINTED + "  Non-2xx or 3xx responses: 3\n"
    with pytest.raises(DevError, match="http://here refused 3 requests"):
        parse(refused, "http://here")


def test_other_output_raises_an_error() -> None:
    with pytest.raises(DevError, match="output lacks"):
        parse("unable to connect", "http://here")
