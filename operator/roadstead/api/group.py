"""The API group, its kinds, and the names that mark what belongs to them."""

from __future__ import annotations

GROUP = "model.example.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "roadstead"
FINALIZER = f"{GROUP}/stored-object"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_SERVER_UUID = f"{GROUP}/server-uuid"

ANNOTATION_DIGEST = f"{GROUP}/digest"
ANNOTATION_RETRY = f"{GROUP}/retry"
