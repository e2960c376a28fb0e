"""Objects of earlier Models are found, and their absence does not block."""

import dataclasses

import pytest

from roadstead.api.model import Model, StoreLocation
from roadstead.controllers.model.kept_objects import KeptObjects
from roadstead.errors import LedgerUnavailable, StoreInterrupted
from roadstead.ledger.known_objects import KnownObject
from roadstead.store.store_client import StoredObject
from tests.support.builders.records import make_object

PLACE = StoreLocation(endpoint="http://minio:9000", bucket="models", path="gemma/1.gguf")
LEFT = dataclasses.replace(PLACE, path="gemma/0.gguf")
KNOWN = KnownObject(location=LEFT, size=5)


class Shelf:
    """A store of a few objects, which may be unavailable."""

    def __init__(self, sizes: dict[StoreLocation, int], *, away: bool = False) -> None:
        self.sizes = sizes
        self.away = away

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        if self.away:
            raise StoreInterrupted("StoreUnreachable", "no answer")
        size = self.sizes.get(location)
        return None if size is None else StoredObject(size=size, etag="e", sha256=None)

    async def copy(self, source: StoreLocation, target: StoreLocation) -> None:
        self.sizes[target] = self.sizes[source]


async def copied(shelf: Shelf, *, known: list[KnownObject] | None = None, upload: str = "") -> bool:
    """Whether an object is copied; `known` is None if the ledger is unavailable."""

    async def ask(_: Model, __: StoreLocation) -> list[KnownObject]:
        if known is None:
            raise LedgerUnavailable("no answer", reason="Timeout")
        return known

    transfer = {"uploadId": upload, "key": "k", "partSizeBytes": 1, "bytesTotal": 1}
    model = Model.parse(make_object("Model", "gemma", status={"transfer": transfer}))
    return await KeptObjects(store=shelf, known=ask).ensure(model, PLACE)


async def test_an_object_of_an_earlier_model_is_copied() -> None:
    shelf = Shelf({LEFT: 5})
    assert await copied(shelf, known=[KNOWN])
    assert shelf.sizes[PLACE] == 5


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({}, id="gone"),
        pytest.param({LEFT: 4}, id="other-size"),
        pytest.param({LEFT: 5, PLACE: 9}, id="place-taken"),
    ],
)
async def test_nothing_is_copied_if_no_object_matches(sizes: dict[StoreLocation, int]) -> None:
    assert not await copied(Shelf(sizes), known=[KNOWN])


async def test_an_unfinished_upload_is_resumed_instead() -> None:
    assert not await copied(Shelf({LEFT: 5}), known=[KNOWN], upload="u")


async def test_an_unavailable_ledger_does_not_block() -> None:
    assert not await copied(Shelf({LEFT: 5}))


async def test_an_unavailable_store_is_left_to_the_transfer() -> None:
    assert not await copied(Shelf({LEFT: 5}, away=True), known=[KNOWN])
