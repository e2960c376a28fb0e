"""The kinds that Roadstead reads and writes, with their API paths."""

from __future__ import annotations

import dataclasses
from urllib.parse import quote

from roadstead.api import group
from roadstead.api.raw import Raw
from roadstead.errors import KubeRejected


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind; `group` is empty for the core API."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str = "") -> str:
        """The path of all objects, or of a namespace's; raises KubeRejected for an invalid name."""
        root = f"/apis/{self.group}" if self.group else "/api"
        within = f"/namespaces/{_segment(namespace)}" if self.namespaced and namespace else ""
        return f"{root}/{self.version}{within}/{self.plural}"

    def path(self, name: str, *, namespace: str = "", subresource: str = "") -> str:
        """The path of an object or its subresource; raises KubeRejected for an invalid name."""
        path = f"{self.collection(namespace)}/{_segment(name)}"
        return f"{path}/{_segment(subresource)}" if subresource else path


def _segment(text: str) -> str:
    """A quoted path segment; raises KubeRejected if it would change the path."""
    if "/" in text or not text.strip("."):
        message = f"invalid object name {text[:64]!r}: expected a name without '/', not only dots"
        raise KubeRejected(message, status=400)
    return quote(text, safe="")


def _own(plural: str, kind: str, *, namespaced: bool) -> Resource:
    return Resource(
        group=group.GROUP, version=group.VERSION, plural=plural, kind=kind, namespaced=namespaced
    )


MODELS = _own("models", "Model", namespaced=False)
MODELSERVES = _own("modelserves", "ModelServe", namespaced=True)
RESOURCECONTRACTS = _own("resourcecontracts", "ResourceContract", namespaced=False)

DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
PODS = Resource(group="", version="v1", plural="pods", kind="Pod")
JOBS = Resource(group="batch", version="v1", plural="jobs", kind="Job")
SERVICES = Resource(group="", version="v1", plural="services", kind="Service")
SERVICEACCOUNTS = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")
SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret")
CONFIGMAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
NAMESPACES = Resource(
    group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False
)
NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
PODMETRICS = Resource(group="metrics.k8s.io", version="v1beta1", plural="pods", kind="PodMetrics")
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
NETWORKPOLICIES = Resource(
    group="networking.k8s.io", version="v1", plural="networkpolicies", kind="NetworkPolicy"
)
PODDISRUPTIONBUDGETS = Resource(
    group="policy", version="v1", plural="poddisruptionbudgets", kind="PodDisruptionBudget"
)


def _traefik(plural: str, kind: str) -> Resource:
    return Resource(group="traefik.io", version="v1alpha1", plural=plural, kind=kind)


INGRESSROUTES = _traefik("ingressroutes", "IngressRoute")
MIDDLEWARES = _traefik("middlewares", "Middleware")
HTTPROUTES = Resource(
    group="gateway.networking.k8s.io", version="v1", plural="httproutes", kind="HTTPRoute"
)
ROUTES = (INGRESSROUTES, HTTPROUTES, MIDDLEWARES)
"""The children of a ModelServe with a gateway; their kinds may not be installed."""

CHILDREN = (DEPLOYMENTS, SERVICES, SERVICEACCOUNTS, NETWORKPOLICIES, PODDISRUPTIONBUDGETS)
"""The children of a ModelServe that are watched; its Secrets are not watched."""

_BY_KIND = {
    (item.api_version, item.kind): item
    for item in (MODELS, MODELSERVES, SECRETS, PODS, *CHILDREN, *ROUTES)
}


def resource_of(manifest: Raw) -> Resource:
    """The resource of an object by its apiVersion and kind; KeyError for an unknown kind."""
    return _BY_KIND[manifest["apiVersion"], manifest["kind"]]
