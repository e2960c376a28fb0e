"""Tokens for the demo, and the messages of denied requests."""

import base64
import datetime
import json
from collections.abc import Iterator
from typing import Any

import yaml

from dev.demo.installation import NAMESPACE, RELEASE, local_issuer
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from roadstead import tokens
from roadstead.api.group import ANNOTATION_DELETION, ANNOTATION_TOKEN

ADMINS = "roadstead-admins"
USERS = "demo-users"
LIFETIME = datetime.timedelta(minutes=10)


def token(cluster: Cluster, subject: str, *groups: str) -> str:
    """A token, as `roadstead token issue` creates it, with the secret that the chart generated."""
    issuer = local_issuer(cluster)
    name = issuer["existingSecret"] or f"{RELEASE}-jwt"
    found = cluster.get("-n", NAMESPACE, "secret", name)
    if found is None:
        raise DevError(f"Secret {name} not found in {NAMESPACE}: the chart creates it")
    return tokens.issue(
        base64.b64decode(found["data"]["secret"]),
        subject=subject,
        audience=issuer["audience"],
        issuer=issuer["issuer"],
        lifetime=LIFETIME,
        now=datetime.datetime.now(datetime.UTC),
        claims={"groups": list(groups)},
    )


def with_token(manifests: str, text: str) -> str:
    """The same objects as JSON, each with the token in its annotation."""
    items = [_annotated(item, text) for item in yaml.safe_load_all(manifests) if item]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def denial_message(cluster: Cluster, manifests: str) -> str:
    """The message that denies `manifests`; DevError if they are allowed."""
    try:
        # Not `apply`: it would change nothing if the object already exists.
        cluster.run("create", "--dry-run=server", "-f", "-", stdin=manifests)
    except DevError as error:
        return "; ".join(_denials(str(error)))
    raise DevError("a request that had to be denied was allowed")


def delete_model(cluster: Cluster, name: str, text: str, *options: str) -> None:
    """Delete a Model: a DELETE carries no token, so an annotation requests the deletion first."""
    if cluster.get("model", name) is None:
        return
    marks = (f"{ANNOTATION_DELETION}=yes", f"{ANNOTATION_TOKEN}={text}")
    cluster.run("annotate", "--overwrite", "model", name, *marks)
    cluster.run("delete", "model", name, "--ignore-not-found", *options)


def _annotated(item: dict[str, Any], text: str) -> dict[str, Any]:
    meta = item["metadata"]
    marks = {**meta.get("annotations", {}), ANNOTATION_TOKEN: text}
    return {**item, "metadata": {**meta, "annotations": marks}}


def _denials(output: str) -> Iterator[str]:
    """The webhooks' messages, without the prefixes of the API server and kubectl."""
    marker = "denied the request: "
    for line in output.splitlines():
        if marker in line:
            yield line.partition(marker)[2]
