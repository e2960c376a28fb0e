"""Names of Kubernetes objects that the API server accepts (RFC 1123)."""

from __future__ import annotations

import re
from typing import Final

MAX_NAME: Final = 253
MAX_NAMESPACE: Final = 63
NAME_FORM: Final = (
    "lower case letters, digits, '-' and '.', with a letter or digit on both sides of each '.' and "
    f"at both ends, at most {MAX_NAME} characters"
)
NAMESPACE_FORM: Final = (
    "lower case letters, digits and '-', with a letter or digit at both ends, at most "
    f"{MAX_NAMESPACE} characters"
)
_ONE_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_LABEL: Final = re.compile(_ONE_LABEL)
_SUBDOMAIN: Final = re.compile(rf"{_ONE_LABEL}(?:\.{_ONE_LABEL})*")


def is_name(text: str) -> bool:
    """Whether it is valid as `metadata.name` of an object: a subdomain as in RFC 1123."""
    return len(text) <= MAX_NAME and _SUBDOMAIN.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Whether it is valid as the name of a namespace: a label as in RFC 1123."""
    return len(text) <= MAX_NAMESPACE and _LABEL.fullmatch(text) is not None
