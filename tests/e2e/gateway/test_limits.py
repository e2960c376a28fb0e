"""A server accepts a limited number of concurrent requests."""

from dev.demo.kubectl import Cluster
from tests.e2e.gateway.connection import ask
from tests.e2e.gateway.http2 import http2, request
from tests.e2e.gateway.site import Gateway, Served, values
from tests.support.waiting import wait_until

TOO_MANY = 429
MORE = 10
RELOADS = 2
"""How often Traefik may load new routes meanwhile: it then starts counting at zero."""


def test_requests_above_the_limit_get_429(cluster: Cluster, gateway: Gateway, mine: Served) -> None:
    allowed = values(cluster)["gateway"]["maxInFlight"]
    token = ("authorization", f"Bearer {mine.token}")
    # Each replica of the gateway counts separately, and one connection is with one replica. A
    # request whose body is not complete is in flight.
    headers = request(gateway, f"/{mine.uid}/tokenize", token, method="POST")
    with http2(gateway) as connection:
        count = (1 + RELOADS) * allowed + MORE
        numbers = [connection.send(headers, end=False) for _ in range(count)]
        connection.until_answered(numbers, at_least=MORE)
        refused = [connection.statuses[each] for each in numbers if each in connection.statuses]
    assert len(refused) >= MORE
    assert set(refused) == {TOO_MANY}


def test_requests_are_accepted_after_the_limit_was_reached(gateway: Gateway, mine: Served) -> None:
    # The gateway counts a request until it notices that its caller has disconnected.
    path = f"/{mine.uid}/health"
    wait_until(lambda: ask(gateway, path, token=mine.token).status == 200)
