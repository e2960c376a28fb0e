"""Which Model owns a location in the store."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.model import Model, StoreLocation
from roadstead.controllers.model.model_sources import owner

TARGET = StoreLocation(endpoint="http://minio:9000", bucket="models", path="gemma/1.gguf")
EARLIER, LATER = "2026-01-01T10:00:00Z", "2026-01-01T10:00:01Z"
VERIFIED = {
    "sha256": "a" * 64,
    "minioEndpoint": TARGET.endpoint,
    "minioBucket": TARGET.bucket,
    "minioPath": TARGET.path,
}
UPLOADING = {"transfer": {"uploadId": "u", "key": TARGET.path, "partSizeBytes": 1, "bytesTotal": 1}}


def model(uid: str, created: str = EARLIER, status: dict[str, Any] | None = None) -> Model:
    meta = {"name": f"model-{uid}", "uid": uid, "generation": 1, "creationTimestamp": created}
    return Model.parse({"metadata": meta, "spec": {}, "status": status or {}})


def owner_of(*models: Model, running: Sequence[str] = ()) -> str:
    return owner(models, TARGET, in_transfer=lambda one: one.meta.uid in running).meta.uid


def test_the_oldest_model_owns_the_location() -> None:
    assert owner_of(model("1", LATER), model("2", EARLIER)) == "2"


def test_a_model_with_the_object_wins_over_one_of_the_same_age() -> None:
    assert owner_of(model("1"), model("2", status=VERIFIED)) == "2"


def test_a_model_in_transfer_wins_over_one_of_the_same_age() -> None:
    assert owner_of(model("1"), model("2"), running=["2"]) == "2"


def test_an_unfinished_upload_keeps_the_location_after_a_restart() -> None:
    assert owner_of(model("1"), model("2", status=UPLOADING)) == "2"


def test_an_older_model_does_not_take_over_a_location_in_use() -> None:
    assert owner_of(model("1", EARLIER), model("2", LATER, VERIFIED), running=["1"]) == "2"


def test_an_object_at_another_location_does_not_count() -> None:
    elsewhere = VERIFIED | {"minioPath": "gemma/2.gguf"}
    assert owner_of(model("1", LATER, elsewhere), model("2", EARLIER)) == "2"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([EARLIER, LATER]),
            st.sampled_from([{}, VERIFIED, UPLOADING]),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ),
    st.randoms(),
)
def test_the_owner_does_not_depend_on_the_order_of_models(drawn: list[Any], random: Random) -> None:
    models = [model(str(i), created, status) for i, (created, status, _) in enumerate(drawn)]
    running = [str(i) for i, (_, _, runs) in enumerate(drawn) if runs]
    first = owner_of(*models, running=running)
    random.shuffle(models)
    assert owner_of(*models, running=running) == first
