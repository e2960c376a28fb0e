"""`roadstead template MODEL`: prints a ModelServe to start from."""

from __future__ import annotations

from roadstead.api.model import Model
from roadstead.errors import InvalidResource, KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELS
from roadstead.manifests.catalogue_manifests import template


async def print_template(model: str, *, name: str, namespace: str, kubeconfig: str | None) -> None:
    """Print the ModelServe's YAML; InvalidResource if the Model does not exist or isn't stored."""
    client = await KubeClient.connect(kubeconfig)
    try:
        raw = await client.get(MODELS, model)
    except KubeNotFound:
        message = "does not exist; `kubectl get models` lists the catalogue"
        raise InvalidResource(f"Model {model}", message) from None
    finally:
        await client.close()
    print(template(Model.parse(raw), name=name, namespace=namespace))
