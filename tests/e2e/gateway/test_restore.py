"""The loss of a team's objects, and their restore as Velero does it (docs/operations/backup.md).

It takes about two minutes: a model is copied, a server starts twice, and the chart is upgraded to
name the restorer.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from dev.demo import admission, namespaces
from dev.demo.installation import CHECKOUT, NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from tests.e2e.conftest import as_admin
from tests.e2e.gateway.conftest import contract, delete_contract, until_routed_everywhere
from tests.e2e.gateway.connection import ask
from tests.e2e.gateway.site import Gateway, Issuer
from tests.e2e.serves import MODEL, USERS, Serves, make_serve
from tests.e2e.test_ledger import record, rows, verify
from tests.e2e.transfers import apply_model
from tests.support.velero import restored
from tests.support.waiting import wait_until

Object = Mapping[str, Any]
RESTORER = "backup-restorer"
AS_RESTORER = (f"--as={RESTORER}", "--as-group=system:masters")
WEBHOOKS = ("-l", "app.kubernetes.io/component=webhooks")
OPERATOR = f"deployment/{RELEASE}-operator"
HELM = ("--namespace", NAMESPACE, "--wait", "--timeout", "240s")


@dataclass(frozen=True, kw_only=True)
class Team:
    """A team's contract, Model and ModelServe, and the ledger's row of the server."""

    contract: Object
    model: Object
    serve: Object
    row: Object

    @classmethod
    def of(cls, serves: Serves) -> Team:
        """The team of a namespace, whose objects have names made of the namespace's."""
        cluster, name = serves.cluster, serves.namespace
        return cls(
            contract=cluster.get("resourcecontract", name) or {},
            model=cluster.get("model", model_of(name)) or {},
            serve=serves.get("modelserve", "gemma"),
            row=record(cluster, serves, "gemma"),
        )


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A team before its loss and after its restore."""

    serves: Serves
    before: Team
    after: Team


def model_of(namespace: str) -> str:
    """The name of the team's Model."""
    return f"gemma-{namespace}"


@pytest.fixture(scope="module")
def team(cluster: Cluster) -> Iterator[Serves]:
    """A namespace with a contract and a Model of its own, and a ready server."""
    name = f"restore-{secrets.token_hex(3)}"
    namespaces.ensure(cluster, name)
    serves = Serves(cluster=cluster, namespace=name)
    try:
        as_admin(cluster, contract(name, USERS))
        apply_model(cluster, model_of(name), MODEL)
        serves.apply(make_serve(modelName=model_of(name)))
        until_recorded(serves)
        yield serves
    finally:
        cluster.run("delete", "namespace", name)
        admin = admission.token(cluster, "admin", admission.ADMINS)
        admission.delete_model(cluster, model_of(name), admin, "--wait=false")
        delete_contract(cluster, name, admin)


@pytest.fixture(scope="module")
def back(cluster: Cluster, team: Serves) -> Iterator[Restored]:
    """The team after the loss and the restore of all its objects."""
    before = Team.of(team)
    try:
        lose(cluster, team)
        name_restorer(cluster)
        for each in (before.contract, before.model, before.serve):
            cluster.run(*AS_RESTORER, "create", "-f", "-", stdin=json.dumps(restored(dict(each))))
        until_recorded(team)
        yield Restored(serves=team, before=before, after=Team.of(team))
    finally:
        cluster.install("rollback", RELEASE, *HELM)


def until_recorded(serves: Serves) -> None:
    """Wait until the server is ready and routed, and the ledger knows it."""
    serves.until("gemma", "Routed", "True")
    serves.until_ready()
    assert verify(serves.cluster) == ""


def lose(cluster: Cluster, serves: Serves) -> None:
    """Delete all objects while no operator runs, as with the cluster; the store has the object."""
    name, admin = serves.namespace, admission.token(cluster, "admin", admission.ADMINS)
    cluster.run("-n", NAMESPACE, "scale", OPERATOR, "--replicas=0")
    cluster.run("delete", "namespace", name)
    admission.delete_model(cluster, model_of(name), admin, "--wait=false")
    forget = ("--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))
    cluster.run("patch", "model", model_of(name), *forget)
    delete_contract(cluster, name, admin)
    wait_until(lambda: cluster.get("model", model_of(name)) is None)
    namespaces.ensure(cluster, name)


def name_restorer(cluster: Cluster) -> None:
    """Upgrade the chart, which starts the operator again, and wait for the new webhooks."""
    earlier = cluster.run("-n", NAMESPACE, "get", "pods", *WEBHOOKS, "-o", "name").split()
    entry = f"tokens.restorers[0].user={RESTORER},tokens.restorers[0].until=2100-01-01T00:00:00Z"
    given = ("--reuse-values", "--set-string", entry)
    cluster.install("upgrade", RELEASE, str(CHECKOUT / "chart"), *given, *HELM)
    for pod in earlier:
        cluster.run("-n", NAMESPACE, "wait", "--for=delete", pod, "--timeout=120s")


def test_server_has_its_address(back: Restored, gateway: Gateway, issuer: Issuer) -> None:
    before, after = back.before.serve, back.after.serve
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["url"] == before["status"]["url"]
    uuid, token = before["status"]["serverUuid"], issuer.token("alice", USERS)
    until_routed_everywhere(gateway, uuid, token=token)
    question = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    path = f"/{uuid}/v1/chat/completions"
    assert ask(gateway, path, token=token, body=question).status == 200


def test_model_stays_where_it_was_stored(back: Restored) -> None:
    before, after = back.before.model, back.after.model
    assert before["metadata"]["uid"] in after["status"]["minioPath"]
    kept = ("minioPath", "sha256", "sizeBytes", "etag")
    assert [after["status"][key] for key in kept] == [before["status"][key] for key in kept]


def test_contract_counts_as_before(cluster: Cluster, back: Restored) -> None:
    def used() -> Object:
        found = cluster.get("resourcecontract", back.serves.namespace) or {}
        return dict(found["status"]["used"])

    wait_until(lambda: used() == back.before.contract["status"]["used"])


def test_row_of_the_server_continues(back: Restored) -> None:
    before, after = back.before.row, back.after.row
    assert after["server_uuid"] == before["server_uuid"]
    assert (before["deleted_at"], after["deleted_at"]) == (None, None)


def test_restore_is_in_the_audit(cluster: Cluster, back: Restored) -> None:
    query = f"SELECT kind, subject FROM admission_records WHERE username = '{RESTORER}' AND allowed"
    kinds = {"ResourceContract", "Model", "ModelServe"}
    wait_until(lambda: {each["kind"] for each in rows(cluster, query)} == kinds)
    subjects = {each["kind"]: each["subject"] for each in rows(cluster, query)}
    assert subjects == {"ResourceContract": "admin", "Model": "admin", "ModelServe": "alice"}
