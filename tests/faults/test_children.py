"""Children of a server are deleted or changed by others with the right to do so."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from dev.servers.apiserver import ApiServer, kubeconfig_content
from roadstead.api.group import LABEL_SERVER_UUID
from tests.faults.aftermath import Scene, aftermath
from tests.support.builders.objects import Raw
from tests.support.faults_table import Healing
from tests.support.operator.namespace import Operated
from tests.support.operator.operator_process import operator_process
from tests.support.operator.pods import post_pod
from tests.support.operator.replicas import account, user
from tests.support.operator.routes import ROOTS, gateway_settings, install_kinds, route_path
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually

RECOVERY_SECONDS: Final = 120.0
STRANGE: Final = {"matchLabels": {"app": "theirs"}}
EDITS: Final[Mapping[tuple[str, str], Raw]] = {
    ("deployments", "gemma"): {"spec": {"replicas": 7}},
    ("services", "gemma"): {"spec": {"selector": {"app": "theirs"}}},
    ("serviceaccounts", "gemma"): {"automountServiceAccountToken": True},
    ("networkpolicies", "gemma"): {"spec": {"podSelector": STRANGE}},
    ("secrets", "gemma-fetch"): {"data": {"url": "aHR0cDovL2V2aWw="}},
    ("secrets", "gemma-key"): {"data": {"api-key": "bWluZQ=="}},
    ("ingressroutes", "gemma"): {"spec": {"entryPoints": ["web"]}},
    ("middlewares", "gemma-auth"): {"spec": {"forwardAuth": {"trustForwardHeader": True}}},
    ("middlewares", "gemma-headers"): {"spec": {"headers": {"customResponseHeaders": None}}},
    ("middlewares", "gemma-limit"): {"spec": {"inFlightReq": {"amount": 1}}},
    ("middlewares", "gemma-strip"): {"spec": {"stripPrefix": {"prefixes": ["/other"]}}},
}
LABELS: Final = {"app.kubernetes.io/managed-by": "somebody", LABEL_SERVER_UUID: None}
Children = Mapping[str, Raw]
"""Children by their paths."""


@pytest.fixture
async def before(
    operated: Operated, apiserver: ApiServer, tmp_path: Path
) -> AsyncIterator[Children]:
    """All children of a server with a scheduled pod; checks the aftermath of a test."""
    await install_kinds(operated.api)
    token, kubeconfig = await account(operated, "operator"), tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(kubeconfig_content(apiserver.url, apiserver.ca, token)))
    environ = operated.site.environ(kubeconfig, **gateway_settings(tmp_path))
    async with operator_process(environ, tmp_path / "operator.log"):
        serve = await operated.serve(name="gemma", modelName=operated.site.publish())
        await post_pod(operated, await operated.wait_for_deployment(serve), node="node-1")
        await operated.wait_for_reason(serve, "Routed", "ServerNotReady")
        yield await children(operated)
        scene = Scene(
            operated=operated,
            server=apiserver,
            log=tmp_path / "operator.log",
            users=(user(operated.namespace, "operator"),),
            tokens=(token,),
        )
        await aftermath(scene)


@pytest.mark.fault("R16", heals="deleted children are created again as they were")
async def test_deleted_children_are_created_again(
    operated: Operated, before: Children, healing: Healing
) -> None:
    for place in before:
        await send_raw(operated.api, "DELETE", place)
    with healing():
        await assert_eventually(
            lambda: are_equal(operated, before, anew=True), timeout=RECOVERY_SECONDS
        )


@pytest.mark.long
@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"labels": LABELS}, id="labels"),
        pytest.param({"ownerReferences": None}, id="owner"),
    ],
)
@pytest.mark.fault("R16", heals="labels and owners are restored, so that no child is orphaned")
async def test_labels_and_owners_of_children_are_restored(
    operated: Operated, before: Children, healing: Healing, metadata: Raw
) -> None:
    for place in before:
        await send_raw(operated.api, "PATCH", place, {"metadata": metadata})
    with healing():
        await assert_eventually(lambda: are_equal(operated, before), timeout=RECOVERY_SECONDS)


@pytest.mark.long
@pytest.mark.fault("R16", heals="edits are reverted: replicas, selectors, routes, keys")
async def test_edited_children_are_restored(
    operated: Operated, before: Children, healing: Healing
) -> None:
    for (plural, name), changes in EDITS.items():
        await send_raw(operated.api, "PATCH", at(operated, plural, name), changes)
    with healing():
        await assert_eventually(lambda: are_equal(operated, before), timeout=RECOVERY_SECONDS)


async def are_equal(operated: Operated, before: Children, *, anew: bool = False) -> bool:
    """Whether all children are as before; with `anew` as new objects."""
    after = await children(operated)
    assert {place: shape(body) for place, body in after.items()} == {
        place: shape(body) for place, body in before.items()
    }
    same = [place for place in after if uid(after[place]) == uid(before[place])]
    return same == ([] if anew else list(before))


async def children(operated: Operated) -> Children:
    """The children that exist."""
    found = {}
    for plural, name in EDITS:
        place = at(operated, plural, name)
        with contextlib.suppress(AssertionError):
            found[place] = await get_raw(operated.api, place)
    return found


def at(operated: Operated, plural: str, name: str) -> str:
    return (
        route_path(operated, plural, name) if plural in ROOTS else f"{operated.path(plural)}/{name}"
    )


def shape(body: Raw) -> Raw:
    """What is compared of a child: neither its address nor the expiry of its URL."""
    meta = body["metadata"]
    texts = {key: base64.b64decode(text) for key, text in body.get("data", {}).items()}
    return {
        "labels": meta.get("labels"),
        "owners": meta.get("ownerReferences"),
        "spec": {k: v for k, v in body.get("spec", {}).items() if not k.startswith("clusterIP")},
        "token": body.get("automountServiceAccountToken"),
        "data": {key: text.partition(b"?")[0] for key, text in texts.items()},
    }


def uid(body: Raw) -> str:
    return str(body["metadata"]["uid"])
