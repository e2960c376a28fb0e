"""The source side of the demo: a MinIO with the real model, and the Quant service before it."""

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
from dev.terminal import say

SOURCE_NAMESPACE = "roadstead-source"
MANIFEST = Path(__file__).parent / "manifests" / "source.yaml"
BUCKET = "models"


def start(cluster: Cluster) -> None:
    """Start it and put the model in; what is there already stays."""
    say("starting the source side: a MinIO with the model, and `roadstead quant` before it")
    namespaces.ensure(cluster, SOURCE_NAMESPACE)
    _keys(cluster)
    _share_quant_key(cluster)
    cluster.apply(_manifest(images(cluster)))
    for name in ("source-minio", "quant"):
        rollout = ("rollout", "status", f"deployment/{name}", "--timeout=120s")
        cluster.run("-n", SOURCE_NAMESPACE, *rollout)
    upload(cluster, model.ensure(), f"{model.MODEL_ID}.gguf")


def _manifest(chosen: Mapping[str, str]) -> str:
    """The source side with the images that the chart was installed with."""
    return (
        MANIFEST.read_text()
        .replace("localhost/minio:dev", chosen["minio"])
        .replace("localhost/roadstead:dev", chosen["roadstead"])
        .replace("imagePullPolicy: Never", f"imagePullPolicy: {chosen['pullPolicy']}")
    )


def _keys(cluster: Cluster) -> Mapping[str, str]:
    """The source MinIO's own keys, made once."""
    if found := cluster.get("-n", SOURCE_NAMESPACE, "secret", "source-minio"):
        return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}
    keys = {"MINIO_ROOT_USER": "source", "MINIO_ROOT_PASSWORD": secrets.token_urlsafe(24)}
    cluster.apply(json.dumps(_secret("source-minio", keys)))
    return keys


def _share_quant_key(cluster: Cluster) -> None:
    """Both sides have the key that the operator signs its tokens for the Quant service with."""
    found = cluster.get("-n", NAMESPACE, "secret", f"{RELEASE}-quant")
    if found is None:
        raise DevError(f"the chart made no Secret {RELEASE}-quant in {NAMESPACE}")
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
    """Put a file into the source's bucket, unless one of that size is there."""
    with cluster.forwarded(SOURCE_NAMESPACE, "service/source-minio", 9000) as port:
        keys = _keys(cluster)
        client = Minio(
            f"127.0.0.1:{port}",
            access_key=keys["MINIO_ROOT_USER"],
            secret_key=keys["MINIO_ROOT_PASSWORD"],
            secure=False,
            region="us-east-1",
        )
        if not client.bucket_exists(BUCKET):
            client.make_bucket(BUCKET)
        if _size(client, key) == file.stat().st_size:
            return
        say(f"  uploading {file.name} to the source's MinIO")
        client.fput_object(BUCKET, key, str(file))


def _size(client: Minio, key: str) -> int | None:
    """Of the object in the bucket; None if there is none."""
    try:
        return client.stat_object(BUCKET, key).size
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise DevError(f"the source's MinIO refused: {error}") from error
        return None
