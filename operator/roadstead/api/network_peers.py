"""NetworkPolicyPeers in settings, checked as the API server checks them (networking.k8s.io/v1)."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from roadstead.api.raw import Raw
from roadstead.settings import EnvReader

PEER_FORM: Final = (
    'such as [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}] or '
    '[{"ipBlock": {"cidr": "10.0.0.0/16"}}]'
)
_SELECTORS: Final = ("podSelector", "namespaceSelector")
_OPERATORS: Final = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
"""Whether an operator has values."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerPeers:
    """The peers of every server's pods, besides the operator and the gateway."""

    callers: tuple[Raw, ...] = ()
    """Who may call the servers' port."""
    store: tuple[Raw, ...] = ()
    """The peers of the store; empty means any address, but only the store's port."""
    dns: tuple[Raw, ...] = ()
    """The peers that resolve names; empty means any address."""
    dns_ports: tuple[int, ...] = (53,)
    """The ports of those peers' pods, which may differ from their Service's."""

    @classmethod
    def read(cls, env: EnvReader) -> Self:
        """From ROADSTEAD_SERVER_CALLERS, ROADSTEAD_STORE_PEERS and ROADSTEAD_DNS_PEERS, _PORTS."""
        return cls(
            callers=read_peers(env, "ROADSTEAD_SERVER_CALLERS"),
            store=read_peers(env, "ROADSTEAD_STORE_PEERS"),
            dns=read_peers(env, "ROADSTEAD_DNS_PEERS"),
            dns_ports=env.ports("ROADSTEAD_DNS_PORTS") or (53,),
        )


NO_PEERS: Final = ServerPeers()


def read_peers(env: EnvReader, name: str) -> tuple[Raw, ...]:
    """Read a JSON list of NetworkPolicyPeers from a variable; empty if it is missing or invalid."""
    text = env.text(name, "[]")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        env.fault(name, f"is not a JSON list of NetworkPolicyPeers, {PEER_FORM}")
        return ()
    faults = [f"[{index}] {fault}" for index, peer in enumerate(found) for fault in _faults(peer)]
    for fault in faults:
        env.fault(name, f"{fault}; write peers {PEER_FORM}")
    return () if faults else tuple(found)


def _faults(peer: Any) -> Iterator[str]:
    """What the API server would refuse."""
    if not isinstance(peer, dict) or not peer:
        yield "is not a NetworkPolicyPeer with podSelector, namespaceSelector or ipBlock"
        return
    for field in sorted(peer.keys() - {*_SELECTORS, "ipBlock"}):
        yield f"has the unknown field {field[:60]!r}"
    if "ipBlock" in peer:
        if len(peer) > 1:
            yield "has ipBlock beside selectors: a peer has one or the other"
        yield from _block_faults(peer["ipBlock"])
    for field in _SELECTORS:
        if field in peer and not _is_selector(peer[field]):
            yield f"has an invalid {field}: expected matchLabels, matchExpressions, or {{}} for all"


def _block_faults(block: Any) -> Iterator[str]:
    if not isinstance(block, dict) or block.keys() - {"cidr", "except"}:
        yield "has an invalid ipBlock: expected cidr and optionally except"
        return
    whole, holes = _network(block.get("cidr")), block.get("except") or []
    if whole is None:
        text = str(block.get("cidr"))[:60]
        yield f"has the invalid cidr {text!r}: expected one such as 10.0.0.0/16"
    elif not isinstance(holes, list) or not all(
        _is_within(_network(each), whole) for each in holes
    ):
        yield f"has an except that is not a list of networks within {whole}"


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: object) -> _Network | None:
    if not isinstance(text, str) or "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _is_within(part: _Network | None, whole: _Network) -> bool:
    """Whether it is smaller, as the API server requires of an exception."""
    if isinstance(part, ipaddress.IPv4Network) and isinstance(whole, ipaddress.IPv4Network):
        return part != whole and part.subnet_of(whole)
    if isinstance(part, ipaddress.IPv6Network) and isinstance(whole, ipaddress.IPv6Network):
        return part != whole and part.subnet_of(whole)
    return False


def _is_selector(value: Any) -> bool:
    """Whether it has the structure of a LabelSelector."""
    if not isinstance(value, Mapping) or value.keys() - {"matchLabels", "matchExpressions"}:
        return False
    labels, expressions = value.get("matchLabels") or {}, value.get("matchExpressions") or []
    return (
        isinstance(labels, dict)
        and all(isinstance(each, str) for each in labels.values())
        and isinstance(expressions, list)
        and all(_is_expression(each) for each in expressions)
    )


def _is_expression(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() - {"key", "operator", "values"}:
        return False
    values = value.get("values") or []
    wanted = _OPERATORS.get(str(value.get("operator")))
    named = isinstance(value.get("key"), str) and bool(value["key"])
    return named and wanted is bool(values) and _are_texts(values)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)
