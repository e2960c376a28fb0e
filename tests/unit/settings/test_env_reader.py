"""Settings from the environment."""

import os

import pytest

from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader, find_kubeconfig


def test_all_faults_are_reported_in_one_error() -> None:
    env = EnvReader({"PORT": "many", "FORM": "xml"})
    env.text("NAME")
    env.integer("PORT", 1)
    env.choice("FORM", ("json", "console"), "json")
    with pytest.raises(InvalidSettings, match=r"NAME: .*; PORT: .*; FORM: "):
        env.done()


@pytest.mark.parametrize("value", ["0", "65536", "1.5", " 1", "1\n", "٣", ""])
def test_invalid_number_falls_back_to_default(value: str) -> None:
    assert EnvReader({"PORT": value}).integer("PORT", 80, low=1, high=65535) == 80


@pytest.mark.parametrize(
    "value", ["minio:9000", "ftp://minio", "http://", "http://[::1", "http://a:99999", "http://a/b"]
)
def test_invalid_url_is_a_fault(value: str) -> None:
    env = EnvReader({"URL": value})
    env.url("URL")
    with pytest.raises(InvalidSettings, match="URL: is not a URL"):
        env.done()


def test_password_in_url_is_not_quoted() -> None:
    env = EnvReader({"URL": "http://me:secret@minio:9000"})
    env.url("URL")
    with pytest.raises(InvalidSettings) as caught:
        env.done()
    assert "secret" not in str(caught.value)


def test_trailing_slash_of_url_is_removed() -> None:
    assert EnvReader({"URL": "http://minio:9000/"}).url("URL") == "http://minio:9000"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", ()),
        ("one, two", ("one", "two")),
        ('["CN=ml,OU=users", "data science"]', ("CN=ml,OU=users", "data science")),
    ],
)
def test_json_list_allows_names_with_commas(value: str, names: tuple[str, ...]) -> None:
    assert EnvReader({"NAMES": value}).names("NAMES") == names


@pytest.mark.parametrize("value", ["[one]", "[1]", '[""]', "[", '["one"'])
def test_invalid_list_of_names_is_a_fault(value: str) -> None:
    env = EnvReader({"NAMES": value})
    assert env.names("NAMES") == ()
    with pytest.raises(InvalidSettings, match="NAMES: is not a JSON list"):
        env.done()


def test_ports_are_numbers_separated_by_commas() -> None:
    assert EnvReader({"PORTS": "53, 5353"}).ports("PORTS") == (53, 5353)
    assert EnvReader({}).ports("PORTS") == ()


@pytest.mark.parametrize("value", ["0", "65536", "dns", "53,-1", "53.0", "٣"])
def test_invalid_port_is_a_fault(value: str) -> None:
    env = EnvReader({"PORTS": value})
    assert env.ports("PORTS") == ()
    with pytest.raises(InvalidSettings, match="PORTS: invalid port"):
        env.done()


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        pytest.param({"KUBECONFIG": "/a:/b"}, "/a:/b", id="named"),
        pytest.param(
            {"KUBECONFIG": "/a", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "/a", id="named in a pod"
        ),
        pytest.param({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, id="in a pod"),
        pytest.param({}, os.path.expanduser("~/.kube/config"), id="the user's"),
    ],
)
def test_kubeconfig_is_that_of_kubectl_except_in_a_pod(
    environ: dict[str, str], found: str | None
) -> None:
    assert find_kubeconfig(environ) == found
