"""The real cluster with the chart and a source side, and a namespace for each test."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dev import samplegguf
from dev.cluster import down, status
from dev.demo import admission, namespaces, source
from dev.demo.__main__ import the_cluster
from dev.demo.installation import install
from dev.demo.kubectl import Cluster
from tests.e2e.rights.audited import Audited
from tests.e2e.serves import USERS, Serves

T = TypeVar("T")
BIG_BYTES = 2 * 2**30
BIG_MODEL = "big-model"
LAST = ("test_upgrade.py", "test_removal.py")


CONTRACT = {
    "apiVersion": "model.example.com/v1alpha1",
    "kind": "ResourceContract",
    "metadata": {"name": "e2e"},
    "spec": {
        "namespaces": {"names": ["e2e-*"]},
        "authorization": {"groups": [USERS]},
        "models": ["*"],
        "perServer": {"replicas": 4},
        "config": {"images": ["*"]},
    },
}
"""Covers every test's namespace."""


def as_admin(cluster: Cluster, body: Mapping[str, Any]) -> None:
    """`kubectl apply` with an administrator's token."""
    token = admission.token(cluster, "admin", admission.ADMINS)
    cluster.apply(admission.with_token(json.dumps(body), token))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of `make up`, brought up if it isn't; one that was up before stays."""
    was_up, _ = status()
    found = the_cluster()
    install(found, with_source=True)
    source.start(found)
    as_admin(found, CONTRACT)
    yield found
    if not was_up:
        down()


@pytest.fixture(scope="session", autouse=True)
def audited(cluster: Cluster) -> Audited:
    """The audit log from when the chart is installed, before any test."""
    return Audited.from_now(cluster)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh one for the test."""
    name = f"e2e-{secrets.token_hex(3)}"
    namespaces.ensure(cluster, name)
    yield name
    cluster.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def serves(cluster: Cluster, namespace: str) -> Serves:
    """ModelServes in the test's namespace."""
    return Serves(cluster=cluster, namespace=namespace)


@pytest.fixture(scope="session")
def big_model(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a model of 2 GiB that the Quant service knows: long enough to be cut off in."""
    file = tmp_path_factory.mktemp("big") / "big.gguf"
    samplegguf.write(file, BIG_BYTES)
    source.upload(cluster, file, f"{BIG_MODEL}.gguf")
    file.unlink()
    return BIG_MODEL


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Ask until the answer is true; the answer."""

    def ask(question: Callable[[], T], *, seconds: float = 60, step: float = 0.25) -> T:
        deadline = time.monotonic() + seconds
        while True:
            answer = question()
            if answer:
                return answer
            assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
            time.sleep(step)

    return ask


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The cluster may have to be built first; what takes the release away comes last."""
    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))
