"""The API server accepts the objects that the pages show."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.apiserver.conftest import Kubectl
from tests.support.charts import CHART
from tests.support.documentation.blocks import Block, Kind, all_blocks

BLOCKS = [each for each in all_blocks() if each.kind is Kind.OBJECTS and not each.reason]
TRAEFIK = CHART / "files" / "traefik" / "crds.yaml"


@pytest.fixture(scope="module")
def definitions() -> dict[str, dict[str, Any]]:
    """Traefik's definitions, by kind."""
    found = yaml.safe_load_all(TRAEFIK.read_text())
    return {each["spec"]["names"]["kind"]: each for each in found if each}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_documented_objects_are_accepted(
    kubectl: Kubectl, definitions: dict[str, dict[str, Any]], block: Block
) -> None:
    for each in block.documents():
        if definition := definitions.get(each["kind"]):
            kubectl("apply", "--server-side", "-f", "-", manifest=json.dumps(definition))
            name = f"crd/{definition['metadata']['name']}"
            kubectl("wait", "--timeout=120s", "--for=condition=Established", name)
        if namespace := each["metadata"].get("namespace"):
            kubectl("create", "namespace", namespace)
    # Unknown fields are errors too.
    done = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", manifest=block.text)
    assert done.returncode == 0, done.stderr


def test_pages_have_objects_to_check() -> None:
    assert len(BLOCKS) >= 5
