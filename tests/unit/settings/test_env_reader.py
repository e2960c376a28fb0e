"""Settings from the environment."""

import pytest

from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader


def test_every_fault_is_told_at_once() -> None:
    env = EnvReader({"PORT": "many", "FORM": "xml"})
    env.text("NAME")
    env.integer("PORT", 1)
    env.choice("FORM", ("json", "console"), "json")
    with pytest.raises(InvalidSettings, match=r"NAME: .*; PORT: .*; FORM: "):
        env.done()


@pytest.mark.parametrize("value", ["0", "65536", "1.5", " 1", "1\n", "٣", ""])
def test_a_number_out_of_bounds_is_its_default(value: str) -> None:
    assert EnvReader({"PORT": value}).integer("PORT", 80, low=1, high=65535) == 80


@pytest.mark.parametrize(
    "value", ["minio:9000", "ftp://minio", "http://", "http://[::1", "http://a:99999", "http://a/b"]
)
def test_what_is_no_url_is_a_fault(value: str) -> None:
    env = EnvReader({"URL": value})
    env.url("URL")
    with pytest.raises(InvalidSettings, match="URL: is not a URL"):
        env.done()


def test_a_password_in_a_url_is_not_quoted() -> None:
    env = EnvReader({"URL": "http://me:secret@minio:9000"})
    env.url("URL")
    with pytest.raises(InvalidSettings) as caught:
        env.done()
    assert "secret" not in str(caught.value)


def test_a_url_loses_its_last_slash() -> None:
    assert EnvReader({"URL": "http://minio:9000/"}).url("URL") == "http://minio:9000"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", ()),
        ("one, two", ("one", "two")),
        ('["CN=ml,OU=users", "data science"]', ("CN=ml,OU=users", "data science")),
    ],
)
def test_names_with_commas_are_in_a_json_list(value: str, names: tuple[str, ...]) -> None:
    assert EnvReader({"NAMES": value}).names("NAMES") == names


@pytest.mark.parametrize("value", ["[one]", "[1]", '[""]', "[", '["one"'])
def test_what_is_no_list_of_names_is_a_fault(value: str) -> None:
    env = EnvReader({"NAMES": value})
    assert env.names("NAMES") == ()
    with pytest.raises(InvalidSettings, match="NAMES: is no JSON list"):
        env.done()
