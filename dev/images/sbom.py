"""Prints the bill of materials of an image (CycloneDX 1.6, JSON), while the image is built.

`python sbom.py SITE_PACKAGES REPORT`: Python packages are those installed in the folder, with the
sha256 of their wheels from pip's report; Debian packages are those in dpkg's status. It imports
only cyclonedx-python-lib: the Dockerfile runs it without the rest of this package.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email import message_from_string
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

OURS = "roadstead"
DPKG_STATUS = Path("/var/lib/dpkg/status")
DOCUMENTS = Path("/usr/share/doc")
OS_RELEASE = Path("/etc/os-release")
TROVE = "License :: "


def canonical(name: str) -> str:
    """A package's name in the normal form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def hashes(report: Mapping[str, Any]) -> dict[str, str]:
    """The sha256 of each package by canonical name, from `pip install --report`."""
    return {
        canonical(item["metadata"]["name"]): item["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        for item in report["install"]
    }


def python_package(found: Distribution, sha256: str | None) -> Component:
    """A Python package; our own has no downloaded wheel."""
    name = canonical(found.metadata["Name"])
    return Component(
        type=ComponentType.APPLICATION if name == OURS else ComponentType.LIBRARY,
        name=name,
        version=found.version,
        bom_ref=f"pypi:{name}",
        purl=None if name == OURS else PackageURL("pypi", name=name, version=found.version),
        licenses=list(_python_licences(found)),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else (),
    )


def _python_licences(found: Distribution) -> Iterator[License]:
    """Its licences in the newest form that it has: an expression, a text, or classifiers."""
    metadata, factory = found.metadata.json, LicenseFactory()
    stated = metadata.get("license_expression") or metadata.get("license") or ""
    if isinstance(stated, str) and stated.strip() and "\n" not in stated:
        yield factory.make_from_string(stated.strip())
        return
    for classifier in metadata.get("classifier", ()):
        if classifier.startswith(TROVE):
            yield factory.make_with_name(classifier.rpartition(" :: ")[2])


def debian_packages(status: str, distro: str, documents: Path) -> Iterator[Component]:
    """Installed packages in dpkg's status file (deb822(5)); `distro` as in `debian-12`."""
    for paragraph in re.split(r"\n{2,}", status.strip()):
        fields = message_from_string(paragraph)
        if fields.get("Status", "").split()[-1:] != ["installed"]:
            continue
        name, version, arch = fields["Package"], fields["Version"], fields["Architecture"]
        place = documents / name / "copyright"
        yield Component(
            name=name,
            version=version,
            bom_ref=f"deb:{name}:{arch}",
            purl=PackageURL("deb", "debian", name, version, {"arch": arch, "distro": distro}),
            licenses=[DisjunctiveLicense(name=each) for each in _debian_licences(place)],
        )


def _debian_licences(file: Path) -> list[str]:
    """The short names in a machine-readable copyright file; empty for free text."""
    text = file.read_text(errors="replace") if file.exists() else ""
    if not text.startswith("Format:"):
        return []
    return sorted(set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)))


def document(components: Iterable[Component]) -> str:
    """The BOM as JSON: the application is its component and depends on the others."""
    bom, parts = Bom(), list(components)
    (ours,) = (each for each in parts if each.type is ComponentType.APPLICATION)
    others = [each for each in parts if each is not ours]
    bom.metadata.component = ours
    bom.components.update(others)
    bom.register_dependency(ours, others)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def main(arguments: Sequence[str]) -> None:
    """Print the BOM of the current file system."""
    site_packages, report = arguments
    known = hashes(json.loads(Path(report).read_text()))
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', OS_RELEASE.read_text(), re.MULTILINE))
    distro = f"{release['ID']}-{release['VERSION_ID']}"
    parts = [
        python_package(each, known.get(canonical(each.metadata["Name"])))
        for each in distributions(path=[site_packages])
    ]
    parts += debian_packages(DPKG_STATUS.read_text(), distro, DOCUMENTS)
    print(document(parts))


if __name__ == "__main__":
    main(sys.argv[1:])
