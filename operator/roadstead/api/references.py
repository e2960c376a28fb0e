"""Which Model a ModelServe asks for."""

from __future__ import annotations

from roadstead.api.raw import Raw, section


def by_name(name: str) -> str:
    """The index key of those that name a Model."""
    return f"name/{name}"


def by_uuid(uuid: str) -> str:
    """The index key of those that give a Model's UUID."""
    return f"uuid/{uuid}"


def model_references(raw: Raw) -> tuple[str, ...]:
    """The index keys of a ModelServe: a Model is used by whoever has its name or its UUID."""
    spec = section(raw, "spec")
    name, uuid = spec.get("modelName"), spec.get("modelUuid")
    return (*((by_name(name),) if name else ()), *((by_uuid(uuid),) if uuid else ()))
