"""The watch cache never runs backwards."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.kube.resources import MODELS, PODS
from roadstead.kube.watch_cache import WatchCache


def thing(version: int, *, uid: str = "u", name: str = "a", server: str = "") -> dict[str, Any]:
    labels = {LABEL_SERVER_UUID: server} if server else {}
    meta = {"name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": {**meta, "managedFields": [{"manager": "kubectl"}]}}


@given(st.lists(st.integers(1, 50), min_size=1))
def test_the_newest_version_stays_in_whatever_order_they_come(versions: list[int]) -> None:
    cache = WatchCache()
    for version in versions:
        cache.put(MODELS, thing(version))
    found = cache.get(MODELS, "a")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == str(max(versions))


def test_a_late_answer_does_not_bring_back_what_is_gone() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(1))
    cache.deleted(MODELS, thing(3))
    assert not cache.put(MODELS, thing(2))
    assert cache.get(MODELS, "a") is None


def test_the_end_of_an_old_object_leaves_the_new_one_of_its_name() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(5, uid="new"))
    cache.deleted(MODELS, thing(3, uid="old"))
    assert cache.name_of("new") == ("", "a")


def test_what_was_seen_to_go_is_known_to_be_gone_beyond_the_list() -> None:
    cache = WatchCache()
    cache.note_list(MODELS, 5)
    cache.put(MODELS, thing(7))
    cache.deleted(MODELS, thing(9))
    assert cache.gone_at(MODELS, "u") == 9
    assert cache.gone_at(MODELS, "never seen") == 5


def test_an_object_that_left_the_selector_may_come_back_newer() -> None:
    cache = WatchCache()
    cache.put(PODS, thing(1))
    cache.deleted(PODS, thing(2))
    assert cache.put(PODS, thing(3))


def test_the_index_follows_the_label() -> None:
    cache = WatchCache()
    cache.put(PODS, thing(1, server="one"))
    cache.put(PODS, thing(2, server="two"))
    assert list(cache.indexed(PODS, "one")) == []
    assert len(list(cache.indexed(PODS, "two"))) == 1


def test_only_what_is_older_than_the_list_has_vanished() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(1, name="old", uid="1"))
    cache.put(MODELS, thing(9, name="new", uid="2"))
    assert cache.vanished(MODELS, set(), 5) == [("", "old")]


def test_managed_fields_are_not_kept() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(1))
    assert "managedFields" not in (cache.get(MODELS, "a") or {})["metadata"]


def test_it_is_remembered_whether_our_field_manager_has_an_entry() -> None:
    cache = WatchCache()
    theirs, ours = thing(1, name="theirs", uid="1"), thing(1, name="ours", uid="2")
    ours["metadata"]["managedFields"].append({"manager": "roadstead", "operation": "Update"})
    assert [cache.put(MODELS, raw) and cache.is_managed(raw) for raw in (theirs, ours)] == [
        False,
        True,
    ]
    cache.deleted(MODELS, ours)
    assert not cache.is_managed(ours)


def test_object_is_current_only_as_long_as_its_name_is_its_own() -> None:
    cache = WatchCache()
    first = {"metadata": {"name": "a", "uid": "u1", "resourceVersion": "1"}}
    cache.put(MODELS, first)
    assert cache.current(MODELS, first) == first
    cache.put(MODELS, {"metadata": {"name": "a", "uid": "u2", "resourceVersion": "2"}})
    assert cache.current(MODELS, first) is None
