"""`roadstead token issue` with the secret of a cluster."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from roadstead import tokens
from roadstead.__main__ import main
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import fresh_name

SECRET = b"vJ4mQ0uD8wZs2Xn6Rk1Tf7Yb3Lp9Ch5A"


@pytest.fixture
def secrets(kubectl: Kubectl, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace with Secrets in it, which KUBECONFIG leads to."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    namespace = fresh_name("token")
    for arguments in (
        ["create", "namespace", namespace],
        ["create", "secret", "generic", "good", f"--from-literal=secret={SECRET.decode()}"],
        ["create", "secret", "generic", "short", "--from-literal=secret=hunter2"],
        ["create", "secret", "generic", "other", f"--from-literal=key={SECRET.decode()}"],
    ):
        done = kubectl("--namespace", namespace, *arguments)
        assert done.returncode == 0, done.stderr
    return namespace


def test_a_token_is_signed_with_the_clusters_secret(
    secrets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--subject", "alice", "--group", "demo-users", "--secret", f"{secrets}/good"]
    assert main(["token", "issue", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = tokens.verify(
        out.strip(),
        SECRET,
        audience="roadstead",
        issuer="roadstead",
        now=datetime.datetime.now(datetime.UTC),
        max_lifetime=datetime.timedelta(minutes=10),
    )
    assert said.subject == "alice"
    assert said.groups == {"demo-users"}


@pytest.mark.parametrize(
    ("name", "fault"), [("none", "does not exist"), ("short", "32"), ("other", "no key")]
)
def test_without_a_good_secret_nothing_is_issued(
    secrets: str, capsys: pytest.CaptureFixture[str], name: str, fault: str
) -> None:
    assert main(["token", "issue", "--subject", "alice", "--secret", f"{secrets}/{name}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert fault in err
    assert "hunter2" not in err


def test_the_secrets_annotations_say_for_whom_its_tokens_are(
    secrets: str, kubectl: Kubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = ("model.example.com/issuer=us", "model.example.com/audience=them")
    assert kubectl("-n", secrets, "annotate", "secret", "good", *marks).returncode == 0
    assert main(["token", "issue", "--subject", "alice", "--secret", f"{secrets}/good"]) == 0
    said = tokens.verify(
        capsys.readouterr().out.strip(),
        SECRET,
        audience="them",
        issuer="us",
        now=datetime.datetime.now(datetime.UTC),
        max_lifetime=datetime.timedelta(minutes=10),
    )
    assert said.subject == "alice"
