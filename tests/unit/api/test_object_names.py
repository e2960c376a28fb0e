"""Valid names of Kubernetes objects."""

import pytest

from roadstead.api.object_names import is_name, is_namespace


@pytest.mark.parametrize("text", ["a", "0", "gemma-3.1b", "a" * 253, "a--b", "a.b.c"])
def test_a_subdomain_is_a_name(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    ["", "A", "a_b", "-a", "a-", ".a", "a.", "a..b", "a.-b", "..", "a/b", "a\n", "é", "a" * 254],
)
def test_invalid_name_is_rejected(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize(("text", "fits"), [("team-a", True), ("a.b", False), ("a" * 64, False)])
def test_a_namespace_is_one_label(text: str, fits: bool) -> None:
    assert is_namespace(text) is fits
