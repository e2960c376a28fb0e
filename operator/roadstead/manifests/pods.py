"""The resources, placement and timeouts of a server's pods."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from roadstead.api.quantity import MEBIBYTE, mebibytes, parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.manifests.names import FETCH
from roadstead.manifests.rendering import Manifest

USER = 65532
"""The user and group of servers' pods, where the cluster doesn't assign them."""
STARTUP_SECONDS = 600
GRACE_SECONDS = 60
CACHE_SIZE = "2304Mi"
"""For the kernels that drivers compile: 1 GiB by CUDA and by Mesa at most, by their defaults."""
_PRE_STOP_SECONDS = 5

_FETCH_CPU = "50m"
_FETCH_MEMORY_REQUEST = "64Mi"
# `roadstead fetch` uses less than 256 MiB; the rest is for dirty pages of the page cache.
_FETCH_MEMORY_LIMIT = "384Mi"
_VOLUME_MARGIN = 64 * MEBIBYTE
_PLACEMENT = ("nodeSelector", "tolerations", "priorityClassName", "runtimeClassName")


def placement(config: Raw, pull_secrets: Iterable[str] = ()) -> Manifest:
    """The fields of `spec.config` that are copied to a pod's spec, with the pull Secrets added."""
    found: Manifest = {name: config[name] for name in _PLACEMENT if config.get(name)}
    own = [each["name"] for each in config.get("imagePullSecrets") or ()]
    # Each name once, as server-side apply requires.
    if secrets := dict.fromkeys([*own, *pull_secrets]):
        found["imagePullSecrets"] = [{"name": name} for name in secrets]
    return found


def pre_stop_seconds(grace: int) -> int:
    """How long a terminating pod still serves, until every proxy has removed it.

    Zero if the grace period is too short: the API server refuses a longer sleep.
    """
    return min(_PRE_STOP_SECONDS, max(0, grace - 1))


def server_resources(resources: Raw) -> Manifest:
    """`spec.resources` for a container, without empty sections; each quantity is checked."""
    found: Manifest = {}
    for part in ("requests", "limits"):
        values = section(resources, part)
        for name, value in values.items():
            parse_quantity(value, field=f"spec.resources.{part}.{name}")
        if values:
            found[part] = dict(values)
    return found


def volume_size(model_size: int) -> str:
    """The limit of the emptyDir: the model, 2% and 64 MiB for file system blocks and journal."""
    return mebibytes(model_size + model_size // 50 + _VOLUME_MARGIN)


def fetch_resources(resources: Raw, model_size: int) -> Manifest:
    """The init container's resources, which never increase the pod's requests.

    A pod's effective request is the larger of its init containers' and its containers'. cpu equals
    the server's, which is idle until the fetch is done. Memory is at most the server's, with
    request equal to limit if the server's are, so that the pod keeps its quality of service.
    """
    limits = {"memory": _smallest(_FETCH_MEMORY_LIMIT, _value_of(resources, "limits", "memory"))}
    cpu_limit = _value_of(resources, "limits", "cpu")
    if cpu_limit is not None:
        limits["cpu"] = cpu_limit
    memory = _request_of(resources, "memory")
    requests = {
        "cpu": _request_of(resources, "cpu") or _FETCH_CPU,
        "memory": _smallest(limits["memory"], memory or _FETCH_MEMORY_REQUEST),
        "ephemeral-storage": volume_size(model_size),
    }
    return {"requests": requests, "limits": limits}


def with_fetch_image(deployment: Manifest, image: str) -> Manifest:
    """The Deployment with another image for its init container."""
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    containers = [
        {**container, "image": image} if container["name"] == FETCH else container
        for container in pod["initContainers"]
    ]
    template = {**spec["template"], "spec": {**pod, "initContainers": containers}}
    return {**deployment, "spec": {**spec, "template": template}}


def _value_of(resources: Raw, part: str, name: str) -> Any:
    return section(resources, part).get(name)


def _request_of(resources: Raw, name: str) -> Any:
    """The request; for a missing request Kubernetes uses the limit."""
    return _value_of(resources, "requests", name) or _value_of(resources, "limits", name)


def _smallest(first: str, second: Any) -> Any:
    if second is None:
        return first
    return min(first, second, key=_size)


def _size(quantity: Any) -> Decimal:
    return parse_quantity(quantity, field="spec.resources")
