"""The Model, the contract and the namespace of a ModelServe, as keys of an index."""

from __future__ import annotations

from roadstead.api.modelserve import ModelServe


def by_name(name: str) -> str:
    """The index key of the ModelServes that name a Model."""
    return f"name/{name}"


def by_uuid(uuid: str) -> str:
    """The index key of the ModelServes that have a Model's UUID."""
    return f"uuid/{uuid}"


def model_references(serve: ModelServe) -> tuple[str, ...]:
    """The index keys of a ModelServe: it uses a Model by name or by UUID."""
    name, uuid = serve.model_name, serve.model_uuid
    return (*((by_name(name),) if name else ()), *((by_uuid(uuid),) if uuid else ()))


def by_contract(name: str) -> str:
    """The index key of the ModelServes that name a ResourceContract."""
    return f"contract/{name}"


def by_namespace(name: str) -> str:
    """The index key of the ModelServes in a namespace."""
    return f"namespace/{name}"


def serve_references(serve: ModelServe) -> tuple[str, ...]:
    """Every index key of a ModelServe: its Model's, its contract's and its namespace's."""
    own = (by_contract(serve.contract),) if serve.contract else ()
    return (*model_references(serve), *own, by_namespace(serve.meta.namespace))
