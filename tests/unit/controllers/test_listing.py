"""A list of our own follows each list of kopf's, an empty one too."""

from roadstead.controllers.hearing import Hearing


def heard(*answers: bool) -> list[str]:
    """The kinds that were told to be listed, after lists (False) and watches (True) of Pods."""
    told: list[str] = []
    hearing = Hearing(listed=told.append)
    for watch in answers:
        hearing.answered("pods", watch=watch)
    return told


def test_a_list_counts_once_its_watch_goes_on_from_there() -> None:
    assert heard(False) == []
    assert heard(False, True) == ["pods"]


def test_a_list_in_pages_counts_once() -> None:
    assert heard(False, False, False, True) == ["pods"]


def test_a_watch_that_begins_again_has_listed_nothing() -> None:
    assert heard(False, True, True) == ["pods"]
