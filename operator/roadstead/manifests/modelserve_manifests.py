"""The children of a ModelServe, apart from its Secrets and routes."""

from __future__ import annotations

import datetime
from urllib.parse import urlsplit

from roadstead.api import group
from roadstead.api.llama.llama_flags import ALL_ADDRESSES, PORT, server_args
from roadstead.api.model import Model, StoreLocation
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section, timestamp
from roadstead.api.rollouts import RolloutPolicy, has_devices
from roadstead.errors import InvalidResource
from roadstead.json_digest import json_digest
from roadstead.manifests import names, pods
from roadstead.manifests.digest import with_digest
from roadstead.manifests.gateway import route_objects
from roadstead.manifests.platform import Platform
from roadstead.manifests.rendering import Manifest, render

SERVICE_PORT = 80
FETCH_AUTHORITIES = "ca.crt"
"""The key of the authorities in the fetch Secret."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def desired_objects(
    serve: ModelServe, model: Model, platform: Platform, *, api_key: str = ""
) -> list[Manifest]:
    """All children except the Secrets, in the order in which to apply them, with their digests.

    `model` must be verified (`model.stored_at` is set). `api_key` is the key in the server's
    Secret; another key replaces the pods. Raises `InvalidResource` if `runtimeParams` or
    `resources` are invalid.
    """
    manifests = [
        *render("modelserve/serviceaccount.yaml.j2", meta=_metadata(serve, model)),
        *render("modelserve/networkpolicy.yaml.j2", **_network(serve, model, platform)),
        *render("modelserve/service.yaml.j2", **_service(serve, model, platform)),
        *_budget(serve, model),
        *map(
            _with_pods_digest,
            render("modelserve/deployment.yaml.j2", **_deployment(serve, model, platform, api_key)),
        ),
    ]
    *others, deployment = (with_digest(manifest) for manifest in manifests)
    routes = route_objects(serve, platform.routing, SERVICE_PORT) if platform.routing else []
    return [*others, *routes, deployment]


def fetch_secret(
    serve: ModelServe, url: str, expires_at: datetime.datetime, *, authorities: str = ""
) -> Manifest:
    """The Secret whose `url` the init container reads; an annotation has the URL's expiry.

    The digest excludes the URL and its expiry, since otherwise every reconcile would write it:
    `fetch_expiry` decides whether a new one is needed. It covers `authorities`, the PEM
    certificates that the store's is verified with.
    """
    manifest = render(
        "modelserve/secret.yaml.j2",
        meta={**_metadata(serve), "name": names.fetch_secret_name(serve)},
        data={"url": url, **({FETCH_AUTHORITIES: authorities} if authorities else {})},
    )[0]
    if authorities:
        manifest["metadata"]["annotations"] = {names.ANNOTATION_TRUST: json_digest(authorities)}
    manifest = with_digest(manifest, without=("stringData",))
    manifest["metadata"]["annotations"][names.ANNOTATION_EXPIRES] = timestamp(expires_at)
    return manifest


def is_encrypted(location: StoreLocation | None) -> bool:
    """Whether the store is reached by TLS."""
    return location is not None and location.endpoint.startswith("https:")


def fetch_expiry(secret: Raw) -> datetime.datetime | None:
    """When the URL in a fetch Secret expires; None if the annotation is missing or invalid."""
    text = section(secret, "metadata", "annotations").get(names.ANNOTATION_EXPIRES, "")
    try:
        expiry = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return expiry if expiry.tzinfo else None


def without_needless_rollout(desired: Manifest, observed: Raw | None) -> Manifest:
    """The Deployment with its current fetch image, if its pods would be the same otherwise.

    The init container has the operator's own image. Without this, an upgrade of the operator would
    restart every server, although its fetch is done.
    """
    images = [item["image"] for item in _init_containers(observed) if item["name"] == names.FETCH]
    if not images or _pods_digest(observed) != _pods_digest(desired):
        return desired
    return with_digest(pods.with_fetch_image(desired, images[0]))


def starts_pods(desired: Raw, observed: Raw | None) -> bool:
    """Whether applying this Deployment creates new pods."""
    replicas = desired["spec"]["replicas"]
    if observed is None or not replicas:
        return bool(replicas)
    more = replicas > section(observed, "spec").get("replicas", 1)
    return more or _pods_digest(observed) != _pods_digest(desired)


def _with_pods_digest(deployment: Manifest) -> Manifest:
    template = pods.with_fetch_image(deployment, "")["spec"]["template"]
    deployment["metadata"]["annotations"] = {names.ANNOTATION_PODS_DIGEST: json_digest(template)}
    return deployment


def _pods_digest(deployment: Raw | None) -> object:
    annotations = section(deployment or {}, "metadata", "annotations")
    return annotations.get(names.ANNOTATION_PODS_DIGEST)


def _init_containers(deployment: Raw | None) -> list[Raw]:
    return section(deployment or {}, "spec", "template", "spec").get("initContainers") or []


def _metadata(serve: ModelServe, model: Model | None = None) -> Manifest:
    return {
        "name": names.child_name(serve.meta.name),
        "namespace": serve.meta.namespace,
        "labels": names.labels(serve, model.meta.uid if model else ""),
        "ownerReferences": [names.owner_reference(serve)],
    }


def _service(serve: ModelServe, model: Model, platform: Platform) -> dict[str, object]:
    return {
        "meta": _metadata(serve, model),
        "selector": names.selector(serve),
        "port": SERVICE_PORT,
        "dual_stack": platform.server_host == ALL_ADDRESSES,
    }


def _budget(serve: ModelServe, model: Model) -> list[Manifest]:
    """The PodDisruptionBudget of several replicas; one replica could never be evicted."""
    if serve.replicas < 2:
        return []
    meta, selector = _metadata(serve, model), names.selector(serve)
    return render("modelserve/poddisruptionbudget.yaml.j2", meta=meta, selector=selector)


def _network(serve: ModelServe, model: Model, platform: Platform) -> dict[str, object]:
    peers = platform.peers
    callers = [_operator_pods(platform), *platform.gateway_peers, *peers.callers]
    return {
        "meta": _metadata(serve, model),
        "selector": names.selector(serve),
        "port": PORT,
        "callers": [dict(peer) for peer in callers],
        "names": [dict(peer) for peer in peers.dns],
        "name_ports": [
            {"port": port, "protocol": protocol}
            for port in peers.dns_ports
            for protocol in ("UDP", "TCP")
        ],
        "stores": [dict(peer) for peer in peers.store],
        "store_port": _store_port(model),
    }


def _operator_pods(platform: Platform) -> Raw:
    """The operator's pods, which ask servers for their usage; no others of its namespace."""
    return {
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": platform.operator_namespace}
        },
        "podSelector": {"matchLabels": names.OPERATOR_PODS},
    }


def _store_port(model: Model) -> int:
    location = model.stored_at
    if location is None:
        raise InvalidResource("status.minioEndpoint", f"Model {model.meta.name} is not stored yet")
    parts = urlsplit(location.endpoint)
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def _key_digest(api_key: str) -> dict[str, str]:
    """llama-server reads its key only when it starts, so another key needs another pod.

    A digest doesn't reveal the key, which is 32 random bytes.
    """
    return {names.ANNOTATION_KEY_DIGEST: json_digest(api_key)} if api_key else {}


def _deployment(
    serve: ModelServe, model: Model, platform: Platform, api_key: str
) -> dict[str, object]:
    config = serve.config
    startup = int(config.get("startupTimeoutSeconds", pods.STARTUP_SECONDS))
    grace = int(config.get("terminationGracePeriodSeconds", pods.GRACE_SECONDS))
    meta = _metadata(serve, model)
    return {
        "meta": meta,
        "replicas": serve.replicas,
        "strategy": RolloutPolicy.of(serve, platform.devices).to_json(),
        "selector": names.selector(serve),
        "pod_labels": {**section(config, "podLabels"), **names.labels(serve, model.meta.uid)},
        "pod_annotations": {**section(config, "podAnnotations"), **_key_digest(api_key)},
        "pod": pods.placement(config, _pull_secrets(serve, platform)),
        "user": pods.USER if platform.fixed_user else 0,
        "grace": grace,
        "pre_stop": pods.pre_stop_seconds(grace),
        "startup": startup,
        # Before the Deployment's deadline passes, a pod may fetch for as long as it may load.
        "deadline": 2 * startup + pods.STARTUP_SECONDS,
        "server": {
            "image": config.get("image") or platform.server_image,
            "pull_policy": config.get("imagePullPolicy") or platform.pull_policy,
            "args": [
                *server_args(
                    serve.runtime_params,
                    model.meta.name,
                    serve.resources,
                    section(model.status, "gguf"),
                    host=platform.server_host,
                ),
                *(("--api-key-file", f"/keys/{names.API_KEY}") if platform.routing else ()),
            ],
            "resources": pods.server_resources(serve.resources),
            "port": PORT,
            "key_secret": names.key_secret_name(serve) if platform.routing else "",
        },
        "fetch": {
            "image": platform.operator_image,
            "pull_policy": platform.pull_policy,
            "resources": pods.fetch_resources(serve.resources, model.size),
            "env": _fetch_env(model, platform),
            "secret": names.fetch_secret_name(serve),
        },
        "cache_size": pods.CACHE_SIZE if has_devices(serve, platform.devices) else "",
        "volume_size": pods.volume_size(model.size),
        "container": names.SERVER,
        "app": group.LABEL_NAME,
    }


def _pull_secrets(serve: ModelServe, platform: Platform) -> list[str]:
    child = names.child_name(serve.meta.name)
    return [
        names.pull_secret_name(child, each.name) if each.copy else each.name
        for each in platform.pull_secrets
    ]


def _fetch_env(model: Model, platform: Platform) -> list[dict[str, str]]:
    values = {
        "ROADSTEAD_FETCH_URL_FILE": "/fetch/url",
        "ROADSTEAD_FETCH_TARGET": "/models/model.gguf",
        "ROADSTEAD_FETCH_SHA256": model.digest,
        "ROADSTEAD_FETCH_SIZE": str(model.size),
        "ROADSTEAD_FETCH_CONNECTIONS": str(platform.fetch_connections),
    }
    if platform.trust and is_encrypted(model.stored_at):
        values["ROADSTEAD_TRUST_FILE"] = f"/fetch/{FETCH_AUTHORITIES}"
        values["ROADSTEAD_TRUST_MODE"] = platform.trust
    return [{"name": name, "value": value} for name, value in values.items()]
