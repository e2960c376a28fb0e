"""The source side of the demo: an S3 server with a real model, and the Quant service."""

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from minio import Minio
from minio.error import S3Error

from dev import model
from dev.demo import namespaces
from dev.demo.installation import NAMESPACE, RELEASE, images
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from dev.terminal import echo

SOURCE_NAMESPACE = "roadstead-source"
MANIFEST = Path(__file__).parent / "manifests" / "source.yaml"
BUCKET = "models"


def start(cluster: Cluster) -> None:
    """Start it and upload the model unless it exists already."""
    echo("starting the source side: an S3 server with the model, and `roadstead quant`")
    namespaces.ensure(cluster, SOURCE_NAMESPACE)
    _keys(cluster)
    _share_quant_key(cluster)
    cluster.apply(_manifest(images(cluster)))
    for name in ("source-store", "quant"):
        rollout = ("rollout", "status", f"deployment/{name}", "--timeout=120s")
        cluster.run("-n", SOURCE_NAMESPACE, *rollout)
    upload(cluster, model.ensure(), f"{model.MODEL_ID}.gguf")


def _manifest(chosen: Mapping[str, str]) -> str:
    """The manifest with the images of the installed chart."""
    return (
        MANIFEST.read_text()
        .replace("localhost/versitygw:dev", chosen["store"])
        .replace("localhost/roadstead:dev", chosen["roadstead"])
        .replace("imagePullPolicy: Never", f"imagePullPolicy: {chosen['pullPolicy']}")
    )


def _keys(cluster: Cluster) -> Mapping[str, str]:
    """The keys of the source's store, created once."""
    if found := cluster.get("-n", SOURCE_NAMESPACE, "secret", "source-store"):
        return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}
    keys = {"ROOT_ACCESS_KEY": "source", "ROOT_SECRET_KEY": secrets.token_urlsafe(24)}
    cluster.apply(json.dumps(_secret("source-store", keys)))
    return keys


def _share_quant_key(cluster: Cluster) -> None:
    """Copy the key that the operator signs tokens for the Quant service with to the source side."""
    found = cluster.get("-n", NAMESPACE, "secret", f"{RELEASE}-quant")
    if found is None:
        raise DevError(f"Secret {RELEASE}-quant not found in {NAMESPACE}: the chart creates it")
    key = base64.b64decode(found["data"]["key"]).decode()
    cluster.apply(json.dumps(_secret("quant", {"key": key})))


def _secret(name: str, values: Mapping[str, str]) -> Mapping[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": SOURCE_NAMESPACE},
        "stringData": values,
    }


def upload(cluster: Cluster, file: Path, key: str) -> None:
    """Upload a file to the source's bucket unless an object of that size exists."""
    with cluster.forwarded(SOURCE_NAMESPACE, "service/source-store", 9000) as port:
        keys = _keys(cluster)
        client = Minio(
            f"127.0.0.1:{port}",
            access_key=keys["ROOT_ACCESS_KEY"],
            secret_key=keys["ROOT_SECRET_KEY"],
            secure=False,
            region="us-east-1",
        )
        if not client.bucket_exists(BUCKET):
            client.make_bucket(BUCKET)
        if _size(client, key) == file.stat().st_size:
            return
        echo(f"  uploading {file.name} to the source's store")
        client.fput_object(BUCKET, key, str(file))


def _size(client: Minio, key: str) -> int | None:
    """The size of the object in the bucket; None if it doesn't exist."""
    try:
        return client.stat_object(BUCKET, key).size
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise DevError(f"the source's store failed: {error}") from error
        return None
