"""The index keys of a ModelServe."""

import pytest

from roadstead.api.modelserve import ModelServe
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
def test_modelserve_is_indexed_by_name_and_uuid(
    spec: dict[str, str], keys: tuple[str, ...]
) -> None:
    assert model_references(ModelServe.parse({"spec": spec})) == keys


def test_name_in_the_form_of_a_uuid_is_a_name() -> None:
    assert by_name("1-2") != by_uuid("1-2")
