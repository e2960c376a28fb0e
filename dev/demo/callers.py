"""Requests to the server through the gateway, each with the command that sends it.

The commands are printed as a shell runs them, with the URL and the tokens as variables.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from dev import debian
from dev.cluster.layout import HERE
from dev.demo import admission, chat
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from dev.terminal import echo

OTHER_USERS = "other-users"
ISSUE = ".venv/bin/roadstead token issue --ttl 10m --subject {} --group {}"
UNAUTHORIZED, FORBIDDEN = 401, 403
STATUS = "-w ' %{http_code}\\n'"


def call(cluster: Cluster, url: str) -> None:
    """Requests without a token and of another group are denied; alice's is answered as a stream."""
    if cluster.local:
        debian.ensure("curl")
    shell = Shell(
        curl=curl(cluster),
        variables={
            "URL": url,
            "ALICE": admission.token(cluster, "alice", admission.USERS),
            "BOB": admission.token(cluster, "bob", OTHER_USERS),
        },
    )
    echo(f"sending requests to URL={url}, with the tokens")
    echo(f"  ALICE=$({ISSUE.format('alice', admission.USERS)})")
    echo(f"  BOB=$({ISSUE.format('bob', OTHER_USERS)})")
    shell.expect_status("$URL/v1/models", status=UNAUTHORIZED)
    shell.expect_status('$URL/v1/models -H "Authorization: Bearer $BOB"', status=FORBIDDEN)
    question = shlex.quote(chat.body(chat.QUESTION, stream=True))
    shell.print_stream(
        f'-N $URL/v1/chat/completions -H "Authorization: Bearer $ALICE" --json {question}'
    )


def curl(cluster: Cluster) -> str:
    """curl with the local CA; for another cluster, CURL_CA_BUNDLE names its CA."""
    file = HERE.gateway_ca.relative_to(HERE.checkout)
    return f"curl -sS --cacert {file}" if cluster.local else "curl -sS"


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Runs curl commands in the checkout."""

    curl: str
    variables: Mapping[str, str] = field(repr=False)

    def expect_status(self, rest: str, *, status: int) -> None:
        """Print a command and its answer; DevError unless it has that status."""
        with self._run(f"{self.curl} {STATUS} {rest}") as process:
            answer, error = process.communicate()
        echo(f"  {answer.strip() or error.strip()}")
        if not answer.endswith(f" {status}\n"):
            raise DevError(f"expected an answer with status {status}, got: {answer or error}")

    def print_stream(self, rest: str) -> None:
        """Print a command and its answer as it arrives; DevError if it is empty."""
        with self._run(f"{self.curl} {rest}") as process:
            assert process.stdout is not None
            received = [print_fragment(text) for text in chat.tokens(process.stdout)]
            _, error = process.communicate()
        print(flush=True)
        if not any(received):
            raise DevError(f"the server did not stream an answer: {error.strip() or 'no event'}")

    def _run(self, line: str) -> "subprocess.Popen[str]":
        echo(f"$ {line}")
        return subprocess.Popen(
            ["sh", "-c", line],
            cwd=HERE.checkout,
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def print_fragment(text: str) -> str:
    """Print a fragment of an answer at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
    return text
