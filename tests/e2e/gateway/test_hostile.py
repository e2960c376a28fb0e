"""Hostile requests are refused: by path, header, host, HTTP/2 frame and content length."""

import http.client
from collections.abc import Mapping

import pytest

from tests.e2e.gateway.hostile import ALL, Hostile
from tests.e2e.gateway.http2 import Header, http2, request
from tests.e2e.gateway.site import Gateway, Issuer, Served
from tests.e2e.gateway.wire import TIMEOUT_SECONDS, exchange
from tests.e2e.serves import USERS

HOUR = 3600


@pytest.fixture(scope="module")
def placeholders(
    gateway: Gateway, issuer: Issuer, mine: Served, theirs: Served
) -> Mapping[str, str]:
    """The values of the placeholders in the table."""
    return {
        "host": f"{gateway.host}:{gateway.port}",
        "namespace": mine.namespace,
        "mine": mine.uid,
        "mine_upper": mine.uid.upper(),
        "theirs": theirs.uid,
        "theirs_upper": theirs.uid.upper(),
        "theirs_plain": theirs.uid.replace("-", ""),
        "token": mine.token,
        "cut": mine.token[:-4],
        "expired": issuer.token("alice", USERS, age=HOUR),
        "other_audience": issuer.token("alice", USERS, aud="somebody-else"),
        "other_issuer": issuer.token("alice", USERS, iss="somebody-else"),
    }


@pytest.mark.fault("R22", heals="refused: no request reaches a server that its caller may not use")
@pytest.mark.parametrize("hostile", [pytest.param(each, id=each.id) for each in ALL])
def test_hostile_request_is_refused(
    gateway: Gateway, placeholders: Mapping[str, str], hostile: Hostile
) -> None:
    heard = exchange(gateway, hostile.rendered(**placeholders))
    assert not heard.from_a_server, heard.data
    assert set(heard.statuses) <= hostile.statuses, heard.data


def test_hostile_requests_have_unique_names() -> None:
    assert len({each.id for each in ALL}) == len(ALL) >= 30


def test_harmless_request_is_answered(gateway: Gateway, placeholders: Mapping[str, str]) -> None:
    plain = Hostile(
        id="plain",
        text="GET /{mine}/health HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        "Connection: close\r\n\r\n",
        statuses=frozenset({200}),
    )
    heard = exchange(gateway, plain.rendered(**placeholders), silence=TIMEOUT_SECONDS)
    assert heard.statuses == [200]
    assert heard.from_a_server


@pytest.mark.fault("R22", heals="refused over HTTP/2 as well")
@pytest.mark.parametrize(
    ("path", "more"),
    [
        pytest.param("/{mine}/health", [], id="no-token"),
        pytest.param("/{theirs}/health", [("authorization", "Bearer {token}")], id="theirs"),
        pytest.param(
            "/{mine}/../{theirs}/health", [("authorization", "Bearer {token}")], id="dot-segments"
        ),
        pytest.param(
            "/{mine}/..%2f{theirs}/health", [("authorization", "Bearer {token}")], id="slash"
        ),
        pytest.param(
            "{theirs}/health", [("authorization", "Bearer {token}")], id="path-without-slash"
        ),
        pytest.param(
            "/{theirs}/health",
            [(":path", "/{mine}/health"), ("authorization", "Bearer {token}")],
            id="two-paths",
        ),
        pytest.param(
            "/{theirs}/health",
            [("x", "a\r\nauthorization: Bearer {token}")],
            id="line-break-in-a-value",
        ),
        pytest.param("/{mine}/health", [("Authorization", "Bearer {token}")], id="upper-case-name"),
        pytest.param(
            "/{mine}/health",
            [("authorization", "Bearer {token}"), ("transfer-encoding", "chunked")],
            id="transfer-encoding",
        ),
        pytest.param(
            "/{mine}/health",
            [("content-length", "5"), ("x-forwarded-method", "OPTIONS")],
            id="length-of-no-body",
        ),
        pytest.param(
            "/{mine}/health",
            [("authorization", "Bearer {token}"), ("authorization", "Bearer abc")],
            id="two-tokens",
        ),
        pytest.param(
            "/{theirs}/health",
            [("authorization", "Bearer {token}"), ("x-forwarded-uri", "/{mine}/health")],
            id="forwarded-uri",
        ),
    ],
)
def test_hostile_http2_request_is_refused(
    gateway: Gateway, placeholders: Mapping[str, str], path: str, more: list[Header]
) -> None:
    headers = request(gateway, path.format(**placeholders))
    headers += [(name, value.format(**placeholders)) for name, value in more]
    with http2(gateway) as connection:
        number = connection.send(headers)
        connection.until_answered([number])
    assert connection.statuses.get(number, 0) in {0, 400, 401, 403, 404}
    assert connection.servers.get(number, "") != "llama.cpp"


def test_other_authority_over_http2_is_not_found(
    gateway: Gateway, mine: Served, placeholders: Mapping[str, str]
) -> None:
    headers = dict(request(gateway, f"/{mine.uid}/health"))
    headers[":authority"] = "evil.example"
    headers["authorization"] = f"Bearer {mine.token}"
    with http2(gateway) as connection:
        number = connection.send(list(headers.items()))
        connection.until_answered([number])
    assert connection.statuses[number] in {404, 421}


def test_plain_http_is_redirected_to_https(gateway: Gateway, mine: Served, plain_port: int) -> None:
    plain = http.client.HTTPConnection(gateway.host, plain_port, timeout=TIMEOUT_SECONDS)
    plain.request("GET", f"/{mine.uid}/health", headers={"Authorization": f"Bearer {mine.token}"})
    answer = plain.getresponse()
    assert answer.status in {301, 308}
    assert answer.headers["Location"] == f"{mine.url}/health"
    plain.close()
