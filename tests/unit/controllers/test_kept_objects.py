"""What earlier Models left in the store is looked for, and its absence holds up nothing."""

import dataclasses

import pytest

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.controllers.kept_objects import KeptObjects
from roadstead.errors import LedgerUnavailable, StoreInterrupted
from roadstead.ledger.known_objects import KnownObject
from roadstead.store.store_client import StoredObject
from tests.support.builders.records import make_object

PLACE = StoreLocation(endpoint="http://minio:9000", bucket="models", path="gemma/1.gguf")
LEFT = dataclasses.replace(PLACE, path="gemma/0.gguf")
KNOWN = KnownObject(location=LEFT, size=5)


class Shelf:
    """A store of a few objects, which may be away."""

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


async def brought(
    shelf: Shelf, *, known: list[KnownObject] | None = None, upload: str = ""
) -> bool:
    """Whether a copy is made; `known` is None where the ledger is away."""

    async def ask(_: Model, __: StoreLocation) -> list[KnownObject]:
        if known is None:
            raise LedgerUnavailable("no answer", reason="Timeout")
        return known

    transfer = {"uploadId": upload, "key": "k", "partSizeBytes": 1, "bytesTotal": 1}
    model = Model.parse(make_object("Model", "gemma", status={"transfer": transfer}))
    return await KeptObjects(store=shelf, known=ask).ensure(model, PLACE)


async def test_object_that_was_left_is_copied_into_place() -> None:
    shelf = Shelf({LEFT: 5})
    assert await brought(shelf, known=[KNOWN])
    assert shelf.sizes[PLACE] == 5


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({}, id="gone"),
        pytest.param({LEFT: 4}, id="other-size"),
        pytest.param({LEFT: 5, PLACE: 9}, id="place-taken"),
    ],
)
async def test_nothing_is_copied_where(sizes: dict[StoreLocation, int]) -> None:
    assert not await brought(Shelf(sizes), known=[KNOWN])


async def test_unfinished_upload_goes_on_instead() -> None:
    assert not await brought(Shelf({LEFT: 5}), known=[KNOWN], upload="u")


async def test_ledger_that_is_away_holds_up_nothing() -> None:
    assert not await brought(Shelf({LEFT: 5}))


async def test_store_that_is_away_is_left_to_the_transfer() -> None:
    assert not await brought(Shelf({LEFT: 5}, away=True), known=[KNOWN])
