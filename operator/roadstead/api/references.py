"""The Model, the contract and the namespace of a ModelServe, as keys of an index."""

from __future__ import annotations

from roadstead.api.raw import Raw, section


def by_name(name: str) -> str:
    """The index key of the ModelServes that name a Model."""
    return f"name/{name}"


def by_uuid(uuid: str) -> str:
    """The index key of the ModelServes that have a Model's UUID."""
    return f"uuid/{uuid}"


def model_references(raw: Raw) -> tuple[str, ...]:
    """The index keys of a ModelServe: it uses a Model by name or by UUID."""
    spec = section(raw, "spec")
    name, uuid = spec.get("modelName"), spec.get("modelUuid")
    return (*((by_name(name),) if name else ()), *((by_uuid(uuid),) if uuid else ()))


def by_contract(name: str) -> str:
    """The index key of the ModelServes that name a ResourceContract."""
    return f"contract/{name}"


def by_namespace(name: str) -> str:
    """The index key of the ModelServes in a namespace."""
    return f"namespace/{name}"


def serve_references(raw: Raw) -> tuple[str, ...]:
    """Every index key of a ModelServe: its Model's, its contract's and its namespace's."""
    contract = section(raw, "spec").get("contract")
    namespace = section(raw, "metadata").get("namespace", "")
    own = (by_contract(contract),) if contract else ()
    return (*model_references(raw), *own, by_namespace(namespace))
