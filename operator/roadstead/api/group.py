"""The API group, its version, labels and annotations."""

from __future__ import annotations

GROUP = "model.example.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "roadstead"
FINALIZER = f"{GROUP}/stored-object"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_SERVER_UUID = f"{GROUP}/server-uuid"

ANNOTATION_SERVER_ID = f"{GROUP}/server-id"
"""A ModelServe's server ID, given by the mutating webhook at creation (api/server_ids.py)."""
ANNOTATION_STORED = f"{GROUP}/stored-object"
"""Where the operator stored a Model's content (api/stored_content.py)."""
ANNOTATION_DIGEST = f"{GROUP}/digest"
ANNOTATION_RETRY = f"{GROUP}/retry"
ANNOTATION_TOKEN = f"{GROUP}/auth-token"
"""The caller's token; the mutating webhook removes it, so no stored object contains it."""
ANNOTATION_RECEIPT = f"{GROUP}/receipt"
"""The mutating webhook's signature, in place of the token."""
ANNOTATION_DELETION = f"{GROUP}/deletion"
"""The permit to delete a Model or a ResourceContract, signed by the mutating webhook."""
ANNOTATION_REQUESTED_BY = f"{GROUP}/requested-by"
"""The ServiceAccount that requested the spec without a token; the mutating webhook writes it."""
ANNOTATION_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATION_ISSUER = f"{GROUP}/issuer"
ANNOTATION_AUDIENCE = f"{GROUP}/audience"
