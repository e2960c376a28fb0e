"""Whose a place in the store is."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.controllers.model_place import owner

TARGET = StoreLocation(endpoint="http://minio:9000", bucket="models", path="gemma/1.gguf")
EARLIER, LATER = "2026-01-01T10:00:00Z", "2026-01-01T10:00:01Z"
VERIFIED = {
    "sha256": "a" * 64,
    "minioEndpoint": TARGET.endpoint,
    "minioBucket": TARGET.bucket,
    "minioPath": TARGET.path,
}
BRINGING = {"transfer": {"uploadId": "u", "key": TARGET.path, "partSizeBytes": 1, "bytesTotal": 1}}


def model(uid: str, created: str = EARLIER, status: dict[str, Any] | None = None) -> Model:
    meta = {"name": f"model-{uid}", "uid": uid, "generation": 1, "creationTimestamp": created}
    return Model.parse({"metadata": meta, "spec": {}, "status": status or {}})


def owner_of(*models: Model, running: Sequence[str] = ()) -> str:
    return owner(models, TARGET, brings=lambda one: one.meta.uid in running).meta.uid


def test_the_older_model_has_the_place() -> None:
    assert owner_of(model("1", LATER), model("2", EARLIER)) == "2"


def test_of_two_made_in_one_second_the_one_with_the_object_has_the_place() -> None:
    assert owner_of(model("1"), model("2", status=VERIFIED)) == "2"


def test_of_two_made_in_one_second_the_one_whose_transfer_runs_has_the_place() -> None:
    assert owner_of(model("1"), model("2"), running=["2"]) == "2"


def test_an_unfinished_upload_keeps_the_place_over_a_restart() -> None:
    assert owner_of(model("1"), model("2", status=BRINGING)) == "2"


def test_an_older_model_that_is_changed_does_not_get_a_place_in_use() -> None:
    assert owner_of(model("1", EARLIER), model("2", LATER, VERIFIED), running=["1"]) == "2"


def test_an_object_at_another_place_gives_no_right() -> None:
    elsewhere = VERIFIED | {"minioPath": "gemma/2.gguf"}
    assert owner_of(model("1", LATER, elsewhere), model("2", EARLIER)) == "2"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([EARLIER, LATER]),
            st.sampled_from([{}, VERIFIED, BRINGING]),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ),
    st.randoms(),
)
def test_all_who_ask_agree_on_the_owner(drawn: list[Any], random: Random) -> None:
    models = [model(str(i), created, status) for i, (created, status, _) in enumerate(drawn)]
    running = [str(i) for i, (_, _, runs) in enumerate(drawn) if runs]
    first = owner_of(*models, running=running)
    random.shuffle(models)
    assert owner_of(*models, running=running) == first
