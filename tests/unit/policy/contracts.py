"""Contracts and requests for tests; each test sets only the values that matter to it."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.policy.contract.contract_policy import Caller, ContractFacts
from tests.support.builders.resources import make_serve

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
ALICE = Caller(subject="alice", groups=frozenset({"demo-users"}), scopes=frozenset({"serve"}))
RESOURCES = {"limits": {"cpu": 2, "memory": "8Gi"}}


def make_contract(name: str = "demo", *, meta: dict[str, Any] | None = None, status: Any = None,
                  **spec: Any) -> ResourceContract:  # fmt: skip
    """A contract that allows group `demo-users` to run every model in namespace `demo`."""
    content = {
        "namespaces": {"names": ["demo"]},
        "authorization": {"groups": ["demo-users"]},
        "models": ["*"],
        **spec,
    }
    raw = {"metadata": {"name": name, **(meta or {})}, "spec": content, "status": status or {}}
    return ResourceContract.parse(raw)


def make_demanding(replicas: int = 1, **spec: Any) -> ModelServe:
    """A ModelServe with 2 cpu and 8Gi for each replica, unless `resources` is given."""
    return make_serve(**{"resources": RESOURCES, "replicas": replicas, **spec})


def make_facts(contract: ResourceContract | None = None, *, replicas: int | None = None,
               **changes: Any) -> ContractFacts:  # fmt: skip
    """Alice requests one server in namespace `demo`."""
    serve = changes.pop("serve", make_demanding())
    facts = ContractFacts(
        serve=serve,
        replicas=serve.replicas if replicas is None else replicas,
        caller=ALICE,
        namespace_labels={},
        contract=contract,
        now=NOW,
    )
    return dataclasses.replace(facts, **changes)
