"""Those who call the server through the gateway: each with the line that a person would type.

The lines are shown as they are run, by a shell that has the URL and the tokens as variables.
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
from dev.terminal import say

OTHERS = "other-users"
ISSUE = ".venv/bin/roadstead token issue --ttl 10m --subject {} --group {}"
UNAUTHORIZED, FORBIDDEN = 401, 403
STATUS = "-w ' %{http_code}\\n'"


def call(cluster: Cluster, url: str) -> None:
    """Nobody and somebody else are refused, then alice's question is answered word by word."""
    if cluster.local:
        debian.ensure("curl")
    shell = Shell(
        curl=curl(cluster),
        variables={
            "URL": url,
            "ALICE": admission.token(cluster, "alice", admission.USERS),
            "BOB": admission.token(cluster, "bob", OTHERS),
        },
    )
    say(f"calling it at URL={url}, with the tokens")
    say(f"  ALICE=$({ISSUE.format('alice', admission.USERS)})")
    say(f"  BOB=$({ISSUE.format('bob', OTHERS)})")
    shell.refused("$URL/v1/models", status=UNAUTHORIZED)
    shell.refused('$URL/v1/models -H "Authorization: Bearer $BOB"', status=FORBIDDEN)
    question = shlex.quote(chat.body(chat.QUESTION, stream=True))
    shell.streamed(
        f'-N $URL/v1/chat/completions -H "Authorization: Bearer $ALICE" --json {question}'
    )


def curl(cluster: Cluster) -> str:
    """curl, told of the local authority; for another's cluster, CURL_CA_BUNDLE names it."""
    file = HERE.gateway_ca.relative_to(HERE.checkout)
    return f"curl -sS --cacert {file}" if cluster.local else "curl -sS"


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Runs lines of curl in the checkout."""

    curl: str
    variables: Mapping[str, str] = field(repr=False)

    def refused(self, rest: str, *, status: int) -> None:
        """Show a line and its answer; DevError unless it is refused with that status."""
        with self._run(f"{self.curl} {STATUS} {rest}") as process:
            answer, error = process.communicate()
        say(f"  {answer.strip() or error.strip()}")
        if not answer.endswith(f" {status}\n"):
            raise DevError(f"what had to be answered with {status} was not: {answer or error}")

    def streamed(self, rest: str) -> None:
        """Show a line and what is answered, as it arrives; DevError if that is nothing."""
        with self._run(f"{self.curl} {rest}") as process:
            assert process.stdout is not None
            heard = [shown(text) for text in chat.tokens(process.stdout)]
            _, error = process.communicate()
        print(flush=True)
        if not any(heard):
            raise DevError(f"the server did not answer: {error.strip() or 'not by a stream'}")

    def _run(self, line: str) -> "subprocess.Popen[str]":
        say(f"$ {line}")
        return subprocess.Popen(
            ["sh", "-c", line],
            cwd=HERE.checkout,
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def shown(text: str) -> str:
    """Print a piece of an answer at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
    return text
