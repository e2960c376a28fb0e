"""The bill of materials of an image, from its files (CycloneDX 1.6, JSON)."""

import json
import re
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import distributions
from pathlib import Path

from dev.images import sbom
from dev.release.layer import EntryKind, LayerEntry
from dev.release.wheel_download import SITE_PACKAGES

_READ = re.compile(
    rf"{re.escape(SITE_PACKAGES)}/[^/]+\.dist-info/|usr/share/doc/[^/]+/copyright$"
    r"|var/lib/dpkg/status$|usr/lib/os-release$"
)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom-1.6.schema.json")


def document(entries: Iterable[LayerEntry], sha256: Mapping[str, str], created: datetime) -> str:
    """The document; `sha256` has the digests of the wheels by package.

    The time is the release's, and the serial number follows from the content.
    """
    with tempfile.TemporaryDirectory(prefix="roadstead-sbom-") as name:
        root = Path(name)
        for entry in entries:
            if entry.kind is EntryKind.FILE and _READ.match(entry.path):
                target = root / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(entry.content)
        return _fixed(_listed(root, sha256), created)


def _listed(root: Path, sha256: Mapping[str, str]) -> str:
    known = {sbom.canonical(name): value for name, value in sha256.items()}
    release = (root / "usr/lib/os-release").read_text()
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', release, re.MULTILINE))
    parts = [
        sbom.python_package(each, known.get(sbom.canonical(each.metadata["Name"])))
        for each in distributions(path=[str(root / SITE_PACKAGES)])
    ]
    status = (root / "var/lib/dpkg/status").read_text()
    distro = f"{fields['ID']}-{fields['VERSION_ID']}"
    parts += sbom.debian_packages(status, distro, root / "usr/share/doc")
    return sbom.document(parts)


def _fixed(text: str, created: datetime) -> str:
    found = json.loads(text)
    found.pop("serialNumber", None)
    found["metadata"]["timestamp"] = created.isoformat()
    serial = uuid.uuid5(_NAMESPACE, json.dumps(found, sort_keys=True))
    found["serialNumber"] = f"urn:uuid:{serial}"
    return json.dumps(found, indent=1, sort_keys=True) + "\n"
