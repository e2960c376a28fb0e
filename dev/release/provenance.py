"""What a release was made of: an in-toto statement with SLSA's provenance, version 1.

A build on a machine of the maintainers, signed with their key, is SLSA Build L1 and no more. There
are no times in it, so that a second build has the same file.
"""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dev.release.debian_lock import LockedPackage
from dev.release.release_settings import ReleaseSettings
from dev.release.wheel_download import Wheel

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "tag:model.example.com,2026:roadstead/make-release/v1"
"""docs/contributing/releasing.md describes it."""
BUILDER = "tag:model.example.com,2026:roadstead/builder/maintainer"


def statement(subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> str:
    """The statement; `subjects` has the sha256 in hex of each file or image by name."""
    document = {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": sha256}}
            for name, sha256 in sorted(subjects.items())
        ],
        "predicateType": PREDICATE,
        "predicate": dict(predicate),
    }
    return json.dumps(document, indent=1) + "\n"


def predicate(
    settings: ReleaseSettings, packages: Sequence[LockedPackage], wheels: Sequence[Wheel]
) -> dict[str, Any]:
    """The provenance: parameters, and all that was downloaded."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "commit": settings.commit,
                "registry": settings.registry,
                "version": settings.version,
            },
            "internalParameters": {
                "python": platform.python_version(),
                "sourceDateEpoch": settings.epoch,
            },
            "resolvedDependencies": [
                {"name": "roadstead", "digest": {"gitCommit": settings.commit}},
                *_debian(packages),
                *_python(wheels),
            ],
        },
        "runDetails": {"builder": {"id": BUILDER}},
    }


def _debian(packages: Iterable[LockedPackage]) -> Iterable[dict[str, Any]]:
    for each in sorted(packages):
        version = quote(each.version, safe="")
        uri = f"pkg:deb/debian/{each.name}@{version}?arch={each.architecture}"
        yield {"uri": uri, "digest": {"sha256": each.sha256}}


def _python(wheels: Iterable[Wheel]) -> Iterable[dict[str, Any]]:
    for name, each in sorted({each.name: each for each in wheels}.items()):
        uri = f"pkg:pypi/{each.package}@{each.version}?file_name={name}"
        yield {"uri": uri, "digest": {"sha256": each.sha256}}
