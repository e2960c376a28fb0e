"""`roadstead template MODEL`: a ModelServe for people to start from."""

from __future__ import annotations

from roadstead.api.model import Model
from roadstead.errors import InvalidResource, KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELS
from roadstead.manifests.catalogue_manifests import template


async def print_template(model: str, *, name: str, namespace: str, kubeconfig: str) -> None:
    """Print the ModelServe's YAML; InvalidResource for a Model that is not there or not stored."""
    client = await KubeClient.connect(kubeconfig)
    try:
        raw = await client.get(MODELS, model)
    except KubeNotFound:
        message = "is not in the catalogue; `kubectl get models` lists it"
        raise InvalidResource(f"Model {model}", message) from None
    finally:
        await client.close()
    print(template(Model.parse(raw), name=name, namespace=namespace))
