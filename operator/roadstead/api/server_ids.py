"""Server IDs: the UUID that a server's address, labels and rows in the ledger are made of.

The mutating webhook gives a ModelServe a random one at creation, when `metadata.uid` isn't known
yet, and binds it by the receipt. Unlike the UID it is kept in a backup, so that a restored server
has the same address. A ModelServe from before there were server IDs has none: its UID is its ID.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from roadstead.api.group import ANNOTATION_SERVER_ID
from roadstead.api.object_names import UUID
from roadstead.api.raw import Metadata

if TYPE_CHECKING:
    from roadstead.api.modelserve import ModelServe

_FORM: Final = re.compile(UUID)


def new_server_id() -> str:
    """A random UUID (RFC 9562, version 4)."""
    return str(uuid.uuid4())


def is_server_id(text: str) -> bool:
    """Whether it has the form of a server ID: a UUID in lower case."""
    return _FORM.fullmatch(text) is not None


def given_server_id(meta: Metadata) -> str:
    """The server ID in the annotation; empty without one, and if it has another form."""
    given = str(meta.annotations.get(ANNOTATION_SERVER_ID, ""))
    return given if is_server_id(given) else ""


def server_id_of(meta: Metadata) -> str:
    """The server ID of a stored ModelServe: the given one, else its UID."""
    return given_server_id(meta) or meta.uid


def holder(
    claimants: Iterable[ModelServe],
    server_id: str,
    *,
    admitted: Callable[[ModelServe], bool] = lambda _: True,
) -> ModelServe | None:
    """The ModelServe that a server ID belongs to; None without any.

    Admission denies a second claimant. If one was stored without the webhooks, the ID belongs to
    the one with a receipt for it, then to the one whose UID it is, then to the oldest.
    """

    def rank(serve: ModelServe) -> tuple[bool, bool, str, str, str]:
        meta = serve.meta
        return (
            not admitted(serve),
            meta.uid != server_id,
            meta.created,
            meta.namespace,
            meta.name,
        )

    return min(claimants, key=rank, default=None)
