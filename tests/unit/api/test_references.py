"""Under which keys a ModelServe is found by its Model."""

import pytest

from roadstead.api.references import by_name, by_uuid, model_references


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        pytest.param({"modelName": "gemma"}, ("name/gemma",), id="name"),
        pytest.param({"modelUuid": "1-2"}, ("uuid/1-2",), id="uuid"),
        pytest.param(
            {"modelName": "gemma", "modelUuid": "1-2"}, ("name/gemma", "uuid/1-2"), id="both"
        ),
        pytest.param({}, (), id="none"),
    ],
)
def test_a_serve_is_found_by_what_it_names(spec: dict[str, str], keys: tuple[str, ...]) -> None:
    assert model_references({"spec": spec}) == keys


def test_a_name_that_looks_like_a_uuid_is_still_a_name() -> None:
    assert by_name("1-2") != by_uuid("1-2")
