"""The record of a Model's content in its annotation, which anyone may have written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.model import Model
from roadstead.api.stored_content import StoredContent
from roadstead.json_digest import json_digest

SPEC: dict[str, Any] = {"source": {"stored": {}}}
OLD = "gemma/0d9b3c1e-5a6f-4f0e-8c64-3f6f9f1f2a77.gguf"
SHA256 = "a" * 64


def model(path: str = OLD, *, spec: str = "") -> Model:
    content = StoredContent(path=path, sha256=SHA256, spec=spec or json_digest(SPEC))
    annotations = {"model.example.com/stored-object": content.to_text()}
    meta = {"name": "gemma", "uid": "new", "annotations": annotations}
    return Model.parse({"metadata": meta, "spec": SPEC})


def test_restored_model_has_the_key_of_its_earlier_uid() -> None:
    assert (model().object_path, model().kept_sha256) == (OLD, SHA256)


@pytest.mark.parametrize("path", [f"other{OLD[5:]}", "gemma/x.gguf", f"../{OLD}", f"{OLD}/x"])
def test_key_of_another_model_is_not_used(path: str) -> None:
    assert model(path).object_path == "gemma/new.gguf"


def test_digest_of_another_spec_is_not_used() -> None:
    assert model(spec="b" * 64).kept_sha256 == ""


@given(st.text() | st.none() | st.from_regex(r"\{.*\}"))
def test_any_other_text_is_no_content(text: str | None) -> None:
    assert StoredContent.parse(text) is None
