"""Tokens for the demo, and what is said to those who have none or ask for too much."""

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
    """As `roadstead token issue` makes it, with the secret that the chart generated."""
    issuer = local_issuer(cluster)
    name = issuer["existingSecret"] or f"{RELEASE}-jwt"
    found = cluster.get("-n", NAMESPACE, "secret", name)
    if found is None:
        raise DevError(f"there is no Secret {name} in {NAMESPACE} to sign tokens with")
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
    """The same objects, each with the token in its annotation, as JSON."""
    items = [_annotated(item, text) for item in yaml.safe_load_all(manifests) if item]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def refused(cluster: Cluster, manifests: str) -> str:
    """What is said to who applies `manifests`; DevError if they are accepted."""
    try:
        # Not `apply`: of an object that is there already it would change nothing.
        cluster.run("create", "--dry-run=server", "-f", "-", stdin=manifests)
    except DevError as error:
        return "; ".join(_denials(str(error)))
    raise DevError("what had to be refused was accepted")


def delete_model(cluster: Cluster, name: str, text: str, *options: str) -> None:
    """Delete a Model: a deletion carries no token, so the leave for it is annotated before."""
    if cluster.get("model", name) is None:
        return
    marks = (f"{ANNOTATION_DELETION}=yes", f"{ANNOTATION_TOKEN}={text}")
    cluster.run("annotate", "--overwrite", "model", name, *marks)
    cluster.run("delete", "model", name, "--ignore-not-found", *options)


def _annotated(item: dict[str, Any], text: str) -> dict[str, Any]:
    meta = item["metadata"]
    marks = {**meta.get("annotations", {}), ANNOTATION_TOKEN: text}
    return {**item, "metadata": {**meta, "annotations": marks}}


def _denials(said: str) -> Iterator[str]:
    """The webhooks' own words, without what the API server and kubectl say before them."""
    marker = "denied the request: "
    for line in said.splitlines():
        if marker in line:
            yield line.partition(marker)[2]
