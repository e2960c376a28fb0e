"""A server takes so many requests at once, and no more."""

from dev.demo.kubectl import Cluster
from tests.e2e.gateway.connection import ask
from tests.e2e.gateway.http2 import http2, request
from tests.e2e.gateway.site import Gateway, Served, values
from tests.support.waiting import wait_until

TOO_MANY = 429
MORE = 10
RELOADS = 2
"""How often Traefik may read new routes meanwhile: each time it counts from zero."""


def test_more_requests_at_once_than_allowed_are_told_to_wait(
    cluster: Cluster, gateway: Gateway, mine: Served
) -> None:
    allowed = values(cluster)["gateway"]["maxInFlight"]
    token = ("authorization", f"Bearer {mine.token}")
    # Each replica of the gateway counts for itself, and one connection is with one replica. A
    # request whose body is still to come is in flight.
    headers = request(gateway, f"/{mine.uid}/tokenize", token, method="POST")
    with http2(gateway) as connection:
        count = (1 + RELOADS) * allowed + MORE
        numbers = [connection.send(headers, end=False) for _ in range(count)]
        connection.until_answered(numbers, at_least=MORE)
        refused = [connection.statuses[each] for each in numbers if each in connection.statuses]
    assert len(refused) >= MORE
    assert set(refused) == {TOO_MANY}


def test_afterwards_it_takes_them_again(gateway: Gateway, mine: Served) -> None:
    # The gateway counts a request until it has noticed that its caller is gone.
    path = f"/{mine.uid}/health"
    wait_until(lambda: ask(gateway, path, token=mine.token).status == 200)
