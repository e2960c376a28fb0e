"""NetworkPolicyPeers in settings: what the API server would refuse is a fault of the setting."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.network_peers import ServerPeers, read_peers
from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader

APPS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}
PEERS: list[dict[str, Any]] = [
    APPS,
    {"podSelector": {}},
    {**APPS, "podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
    {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}},
    {"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.1.0/24"]}},
    {"ipBlock": {"cidr": "fd00::/8", "except": ["fd00:1::/32"]}},
]


def read(text: str) -> tuple[Any, ...]:
    env = EnvReader({"PEERS": text})
    found = read_peers(env, "PEERS")
    env.done()
    return found


def test_each_form_of_a_peer_is_read() -> None:
    assert list(read(json.dumps(PEERS))) == PEERS


def test_an_unset_variable_means_no_peers() -> None:
    assert ServerPeers.read(EnvReader({})) == ServerPeers()


@pytest.mark.parametrize(
    ("peer", "fault"),
    [
        ({}, "is not a NetworkPolicyPeer"),
        ("apps", "is not a NetworkPolicyPeer"),
        ({"namespace": "apps"}, "unknown field 'namespace'"),
        ({"ipBlock": {"cidr": "10.0.0.0/16"}, **APPS}, "ipBlock beside selectors"),
        ({"ipBlock": {"cidr": "10.0.0.1/16"}}, "invalid cidr '10.0.0.1/16'"),
        ({"ipBlock": {"cidr": "10.0.0.1"}}, "invalid cidr '10.0.0.1'"),
        ({"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.1.0.0/24"]}}, "within 10.0.0.0/16"),
        ({"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.0.0/16"]}}, "within 10.0.0.0/16"),
        ({"ipBlock": {"cidr": "10.0.0.0/16", "except": ["fd00::/8"]}}, "within 10.0.0.0/16"),
        ({"podSelector": {"app": "chat"}}, "invalid podSelector"),
        ({"podSelector": {"matchLabels": {"app": 1}}}, "invalid podSelector"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "invalid podSel"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}, "invalid podSel"),
    ],
)
def test_a_peer_that_the_api_server_would_refuse_is_a_fault(peer: Any, fault: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"PEERS: \[1\] .*{fault}.*; write peers such as"):
        read(json.dumps([APPS, peer]))


@pytest.mark.parametrize("text", ["apps", "{}", "null", "[}"])
def test_what_is_no_list_is_a_fault(text: str) -> None:
    with pytest.raises(InvalidSettings, match="PEERS: is not a JSON list of NetworkPolicyPeers"):
        read(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ipBlock", "cidr", "except", "podSelector", "matchLabels", "matchExpressions"]
            )
            | st.sampled_from(["namespaceSelector", "key", "operator", "values"]),
            part,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_is_read_or_refused_as_a_setting(value: Any) -> None:
    try:
        found = read(json.dumps(value))
    except InvalidSettings:
        return
    assert list(found) == value
    assert all(isinstance(peer, dict) and peer for peer in found)
