"""The pages about models, contracts and servers work from top to bottom, on the cluster.

`tests/support/documentation/coverage.py` has the pages. They take a minute together: a model is
copied, and a server starts three times.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest

from dev import debian
from dev.demo import admission, namespaces
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.conftest import delete_contract
from tests.e2e.gateway.site import Gateway
from tests.support.documentation.blocks import Block, Kind, all_blocks, parse
from tests.support.documentation.coverage import CLUSTER, steps
from tests.support.documentation.reader import Reader

HOW_TO = "docs/how-to/"
FIRST = tuple(
    f"{HOW_TO}{each}.md"
    for each in ("write-a-contract", "add-a-model", "serve-a-model", "call-a-server")
)
"""They create what the other pages use."""
LAST = ("docs/tutorial.md", f"{HOW_TO}delete-models-and-contracts.md")
"""They delete the server, and the model."""
PAGES = steps(CLUSTER)
ORDER = (*FIRST, *(page for page in PAGES if page not in (*FIRST, *LAST)), *LAST)
CURL = "fail\nretry = 20\nretry-delay = 1\nretry-all-errors\n"
"""curl's settings: an error status is a failure, unless the gateway's other replica lacks a route
for a moment."""


def replacements(cluster: Cluster, name: str, token: str) -> dict[str, str]:
    """What a reader writes in place of the pages' names: others use the cluster too."""
    pods = (
        "-l",
        "app.kubernetes.io/component=operator",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    )
    return {
        "(?<!modelId: )gemma-3-270m": f"gemma-{name}",
        r"\bdemo\b(?!-users)": name,
        r"\bresearch\b": f"{name}-research",
        "my-server": "gemma",
        "<JWT>": token,
        # Tests run side by side on a node of two cores.
        'cpu: "1", memory: 1Gi': "cpu: 100m, memory: 512Mi",
        "> server.yaml": "| sed 's/cpu: .*/cpu: 100m/' > server.yaml",
        # A small model may not stop by itself.
        '"stream": true': '"stream": true, "max_tokens": 8',
        # Runbooks.
        r"\bNAMESPACE\b": name,
        r"\bNAME\b(?!:)": "gemma",
        r"\bCONTRACT\b(?!:)": name,
        r"\bMODEL\b": f"gemma-{name}",
        r"\bNODE\b": cluster.run("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"),
        r"\bPOD\b": cluster.run("-n", NAMESPACE, "get", "pods", *pods),
        # The cluster of `make demo`, which runs already and others use.
        "export KUBECONFIG=.*": ":",
        "make down.*": ":",
    }


@pytest.fixture(scope="module")
def reader(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader with a namespace, the README's contract for it, and a token of its group."""
    debian.ensure("curl")
    folder, name = tmp_path_factory.mktemp("documented"), f"e2e-{secrets.token_hex(3)}"
    kubeconfig = shutil.copy(cluster.kubeconfig, folder / "kubeconfig")
    token = admission.token(cluster, "me", admission.ADMINS, admission.USERS)
    namespaces.ensure(cluster, name)
    (folder / ".curlrc").write_text(CURL)
    found = Reader.with_programs(
        folder,
        cluster.kubectl,
        replacements=replacements(cluster, name, token),
        KUBECONFIG=str(kubeconfig),
        CURL_CA_BUNDLE=str(Gateway.of(cluster, folder).ca),
        TOKEN=token,
    )
    try:
        # For the steps that name no namespace.
        select = f"```sh\nkubectl config set-context --current --namespace={name}\n```\n"
        found.follow([*parse("the namespace", select), contract()])
        yield found
    finally:
        # A Model that a server uses can't be deleted.
        cluster.run("-n", name, "delete", "modelserve", "gemma", "--ignore-not-found")
        cluster.run("delete", "namespace", name, "--wait=false")
        for each in (name, f"{name}-research"):
            delete_contract(cluster, each, token)
        admission.delete_model(cluster, f"gemma-{name}", token, "--wait=false")


def contract() -> Block:
    """The README's contract."""
    (found,) = (
        each
        for each in all_blocks()
        if each.page == "README.md" and "kind: ResourceContract" in each.text
    )
    return found


@pytest.mark.parametrize("page", ORDER)
def test_steps_of_a_page_work(reader: Reader, page: str) -> None:
    reader.follow([each for each in PAGES[page] if is_followed(each)])


def is_followed(block: Block) -> bool:
    """Not objects of other programs, such as the gateway's, which the tests share."""
    if block.kind is not Kind.OBJECTS:
        return True
    return all(each["apiVersion"].startswith("model.example.com/") for each in block.documents())
