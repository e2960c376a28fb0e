"""Every TLS connection of the product trusts the installation's authorities."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
SOURCES = (CHECKOUT / "operator" / "roadstead", CHECKOUT / "webhooks" / "roadstead_webhooks")
CREATORS = {
    "SSLContext",
    "create_default_context",
    "_create_unverified_context",
    "load_default_certs",
    "load_verify_locations",
}
"""Calls that choose which authorities a connection trusts."""
ALLOWED = {
    ("authorities.py", "create_default_context"),
    ("authorities.py", "load_verify_locations"),
    # A server: its own certificate, and the authority of its clients.
    ("serving_tls.py", "SSLContext"),
    ("serving_tls.py", "load_verify_locations"),
}
CLIENTS = {
    "urlopen": "not in use: it reads proxies from the environment",
    "Minio": "s3.py, with pools that trust the installation's authorities",
    "HTTPSConnection": "store/wire.py, with a context of the authorities",
    "PoolManager": "s3.py and store/store_fencing.py, with a context of the authorities",
}
CLIENT_FILES = {"s3.py", "wire.py", "store_fencing.py"}


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    for folder in SOURCES:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    function = node.func
                    name = function.attr if isinstance(function, ast.Attribute) else ""
                    yield path, name or getattr(function, "id", ""), node


def test_contexts_are_created_in_one_module() -> None:
    found = {(path.name, name) for path, name, _ in calls() if name in CREATORS}
    assert found == ALLOWED


def test_clients_are_created_with_a_context() -> None:
    assert {path.name for path, name, _ in calls() if name in CLIENTS} == CLIENT_FILES


def test_requests_of_aiohttp_have_a_context_of_the_authorities() -> None:
    """Sessions that only call http servers, or an API server, are listed."""
    creators = {path.name for path, name, _ in calls() if name == "ClientSession"}
    plain = {"connection.py", "server_metrics.py"}
    trusting = {
        "caller.py",
        "chat_relay.py",
        "key_reader.py",
        "kubelet.py",
        "probe.py",
        "provider.py",
    }
    with_context = {
        path.name
        for path, _, call in calls()
        for each in call.keywords
        if each.arg == "ssl" and "context" in ast.unparse(each.value)
    }
    assert trusting <= with_context
    # trust.py opens the session of key_reader.py.
    assert creators - plain - {"trust.py"} <= trusting


def test_postgres_is_connected_with_a_context() -> None:
    connects = [
        (path.name, name, {each.arg for each in call.keywords})
        for path, name, call in calls()
        if name in ("connect", "create_pool") and "asyncpg" in ast.unparse(call.func)
    ]
    assert connects
    for path, name, given in connects:
        # A pool connects by database.py.
        assert "connect" in given if name == "create_pool" else path == "database.py"
        assert name == "create_pool" or "ssl" in given
