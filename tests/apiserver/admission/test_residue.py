"""After an apply the token is in no object in etcd, no event, log or metric."""

from __future__ import annotations

import base64
import json
import urllib.request

from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, fresh_name, make_modelserve
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import TOKEN, with_annotations, with_token
from tests.support.webhooks.webhook_process import Folder, WebhookProcess


def everything_in_etcd(server: ApiServer) -> bytes:
    """Return all keys and values in etcd, including events, through etcd's gateway."""
    first = base64.b64encode(b"\0").decode()
    query = json.dumps({"key": first, "range_end": first}).encode()
    request = urllib.request.Request(f"{server.etcd_url}/v3/kv/range", data=query)
    with urllib.request.urlopen(request, timeout=30) as answer:
        pairs = json.loads(answer.read())["kvs"]
    parts = (base64.b64decode(pair.get(half, "")) for pair in pairs for half in ("key", "value"))
    return b"\n".join(parts)


async def test_token_is_stored_nowhere(
    apiserver: ApiServer,
    api: client.ApiClient,
    kubectl: Kubectl,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    admin: str,
    folder: Folder,
    webhooks: tuple[WebhookProcess, ...],
) -> None:
    given = [token(jti=fresh_name("jti")) for _ in range(5)]
    body = make_modelserve(namespace)
    for text, flags in zip(given, ((), (), ("--server-side",)), strict=False):
        name = body["metadata"]["name"] if not flags else fresh_name("applied")
        whole = {**body, "metadata": {**body["metadata"], "name": name}}
        done = kubectl("apply", *flags, "-f", "-", manifest=json.dumps(with_token(whole, text)))
        assert done.returncode == 0, done.stderr
    # Denied requests too: an unknown contract, and a misplaced token.
    other = make_modelserve(namespace, contract="nowhere")
    denied = kubectl("apply", "-f", "-", manifest=json.dumps(with_token(other, given[3])))
    assert "ContractNotFound" in denied.stderr
    misplaced = with_annotations(other, {"example.com/token": given[4]})
    denied = kubectl("apply", "-f", "-", manifest=json.dumps(misplaced))
    assert "TokenMisplaced" in denied.stderr

    def events() -> str:
        return kubectl("get", "events", "-n", namespace, "-o", "yaml").stdout

    await assert_eventually(lambda: "ContractNotFound" in events() and "TokenMisplaced" in events())
    etcd = everything_in_etcd(apiserver)
    # The dump contains stored objects.
    assert body["metadata"]["name"].encode() in etcd
    logs = b"".join(log.read_bytes() for log in folder.logs)
    metrics = "".join(each.metrics() for each in webhooks).encode()
    event_text = events().encode()
    for text in [*given, admin]:
        for part in (text, *text.split(".")[1:]):
            for place in (etcd, logs, metrics, event_text):
                assert part.encode() not in place
    assert f"f:{TOKEN}".encode() not in etcd


async def test_denial_posts_an_event_with_subject_and_reason(
    kubectl: Kubectl, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = make_modelserve(namespace, contract="nowhere")
    kubectl("apply", "-f", "-", manifest=json.dumps(with_token(body, token("carol"))))

    def is_posted() -> bool:
        events = kubectl("get", "events", "-n", namespace, "-o", "json").stdout
        return any(
            item["reason"] == "AdmissionDenied"
            and "subject carol" in item["message"]
            and "ContractNotFound" in item["message"]
            and item["involvedObject"]["name"] == body["metadata"]["name"]
            for item in json.loads(events)["items"]
        )

    await assert_eventually(is_posted)
