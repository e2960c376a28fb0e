"""The watch cache never replaces a newer version by an older one."""

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
def test_the_newest_version_wins_in_any_order(versions: list[int]) -> None:
    cache = WatchCache()
    for version in versions:
        cache.put(MODELS, thing(version))
    found = cache.get(MODELS, "a")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == str(max(versions))


def test_a_late_response_does_not_restore_a_deleted_object() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(1))
    cache.deleted(MODELS, thing(3))
    assert not cache.put(MODELS, thing(2))
    assert cache.get(MODELS, "a") is None


def test_deleting_an_old_object_keeps_a_new_one_of_the_name() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(5, uid="new"))
    cache.deleted(MODELS, thing(3, uid="old"))
    assert cache.name_of("new") == ("", "a")


def test_a_deletion_after_the_list_is_remembered() -> None:
    cache = WatchCache()
    cache.note_list(MODELS, 5)
    cache.put(MODELS, thing(7))
    cache.deleted(MODELS, thing(9))
    assert cache.gone_at(MODELS, "u") == 9
    assert cache.gone_at(MODELS, "never seen") == 5


def test_an_object_may_return_to_the_selector_in_a_newer_version() -> None:
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


def test_only_objects_older_than_the_list_have_vanished() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(1, name="old", uid="1"))
    cache.put(MODELS, thing(9, name="new", uid="2"))
    assert cache.vanished(MODELS, set(), 5) == [("", "old")]


def test_managed_fields_are_not_kept() -> None:
    cache = WatchCache()
    cache.put(MODELS, thing(1))
    assert "managedFields" not in (cache.get(MODELS, "a") or {})["metadata"]


def test_an_entry_of_our_field_manager_is_remembered() -> None:
    cache = WatchCache()
    theirs, ours = thing(1, name="theirs", uid="1"), thing(1, name="ours", uid="2")
    ours["metadata"]["managedFields"].append({"manager": "roadstead", "operation": "Update"})
    assert [cache.put(MODELS, raw) and cache.is_managed(raw) for raw in (theirs, ours)] == [
        False,
        True,
    ]
    cache.deleted(MODELS, ours)
    assert not cache.is_managed(ours)


def test_an_object_is_current_until_another_has_its_name() -> None:
    cache = WatchCache()
    first = {"metadata": {"name": "a", "uid": "u1", "resourceVersion": "1"}}
    cache.put(MODELS, first)
    assert cache.current(MODELS, first) == first
    cache.put(MODELS, {"metadata": {"name": "a", "uid": "u2", "resourceVersion": "2"}})
    assert cache.current(MODELS, first) is None
