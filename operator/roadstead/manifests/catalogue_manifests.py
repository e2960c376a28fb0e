"""The Model that a ModelServe needs, and a complete ModelServe for a Model."""

from __future__ import annotations

from roadstead.api import group, model, modelserve
from roadstead.api.llama.llama_flags import CACHE_RAM_MIB, THREADS
from roadstead.api.memory import server_memory
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.quantity import mebibytes
from roadstead.api.raw import section
from roadstead.api.slots import CONTEXT_SIZE, PARALLEL
from roadstead.errors import InvalidResource
from roadstead.manifests import names
from roadstead.manifests.digest import with_digest
from roadstead.manifests.rendering import Manifest, render, render_text


def model_for(serve: ModelServe) -> Manifest:
    """The Model of the Quant service with the name in `serve`.

    It has no owner: other servers may use it too, and it outlives the first one. It ignores the
    location in the server's spec: the right to serve a model doesn't include the choice of objects
    in the store.
    """
    manifest = render(
        "model.yaml.j2",
        api_version=group.API_VERSION,
        kind=model.KIND,
        name=serve.model_name,
        labels={group.LABEL_MANAGED_BY: group.FIELD_MANAGER},
        annotations={names.ANNOTATION_MADE_FOR: f"{serve.meta.namespace}/{serve.meta.name}"},
    )[0]
    return with_digest(manifest)


def template(stored: Model, *, name: str = "", namespace: str = "default") -> str:
    """A complete ModelServe for a stored Model, as YAML with comments, ready for `kubectl apply`.

    Raises `InvalidResource` if the Model isn't stored and verified yet.
    """
    location = stored.stored_at
    if location is None:
        raise InvalidResource(
            f"Model {stored.meta.name}",
            "is not stored and verified yet; `kubectl get model` shows its progress",
        )
    gguf = section(stored.status, "gguf")
    context = min(CONTEXT_SIZE, int(gguf.get("contextLength") or CONTEXT_SIZE))
    memory = server_memory(stored.size, gguf, context, cache_ram_mib=CACHE_RAM_MIB)
    return render_text(
        "modelserve.yaml.j2",
        api_version=group.API_VERSION,
        kind=modelserve.KIND,
        name=name or names.child_name(stored.meta.name),
        namespace=namespace,
        model=stored.meta.name,
        uuid=stored.meta.uid,
        location=location,
        context=context,
        trained=int(gguf.get("contextLength") or 0),
        parallel=PARALLEL,
        cache_ram=CACHE_RAM_MIB,
        threads=THREADS,
        memory=mebibytes(memory),
    )
