"""Conversion of objects to rows."""

import pytest

from roadstead.api.modelserve import ModelServe
from roadstead.ledger.records import row
from roadstead.ledger.row_projection import PodsView, server_record
from tests.support.builders.records import NOW, a_contract, a_model, a_server, make_serve, ready


def test_server_row_has_fields_of_its_object() -> None:
    found = a_server(
        version=12,
        spec={"runtimeParams": {"threads": 1}, "contract": "demo"},
        status={
            "conditions": [ready()],
            "modelUuid": "1b1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f",
            "subject": "alice",
            "url": "https://models.example.com/u",
            "replicas": 1,
            "readyReplicas": 1,
            "startedAt": "2026-01-01T00:00:10Z",
        },
    )
    assert (found.namespace, found.name, found.model_name) == ("demo", "gemma", "gemma-3-270m")
    assert (found.status, found.status_reason, found.status_message) == ("Ready", "Ready", "1 of 1")
    assert (found.subject, found.contract, found.service_name) == ("alice", "demo", "gemma")
    assert found.runtime_params == {"threads": 1}
    assert found.gateway_url == "https://models.example.com/u"
    assert found.started_at == "2026-01-01T00:00:10Z"
    assert found.resource_version == 12


def test_server_without_status_is_pending() -> None:
    found = a_server(status={})
    assert (found.status, found.status_reason) == ("Pending", "Unknown")
    assert found.model_uuid is None


def test_deleted_server_keeps_its_fields_without_pods() -> None:
    pods = PodsView(names=["gemma-1"], version=5)
    found = a_server(pods=pods, deleted=True, status={"subject": "alice", "readyReplicas": 1})
    assert (found.status, found.deleted_at) == ("Deleted", NOW)
    assert (found.pod_names, found.ready_replicas) == ((), 0)
    assert found.subject == "alice"


def test_memory_limit_is_sum_of_replicas_in_megabytes() -> None:
    spec = {"replicas": 2, "resources": {"limits": {"memory": "1Gi"}}}
    assert a_server(spec=spec).memory_limit_mb == pytest.approx(2147.483648)


def test_missing_memory_limit_is_none() -> None:
    spec = {"resources": {"requests": {"memory": "1Gi"}}}
    assert a_server(spec=spec).memory_limit_mb is None


def test_server_with_only_model_uuid_has_resolved_model_name() -> None:
    raw = make_serve()
    raw["spec"] = {"modelUuid": "1b1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"}
    found = server_record(ModelServe.parse(raw), model_name="gemma", pods=PodsView(), now=NOW)
    assert (found.model_name, found.model_uuid) == ("gemma", "1b1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f")


def test_model_row_has_display_name() -> None:
    assert a_model(spec={"displayName": "Gemma 3, 270M"}).display_name == "Gemma 3, 270M"
    assert a_model().display_name == ""


def test_model_row_has_header_fields() -> None:
    header = {"architecture": "gemma3", "parameterCount": 268, "contextLength": 32768}
    stored = {"minioEndpoint": "http://m:9000", "minioBucket": "models", "minioPath": "a/b.gguf"}
    status = {"gguf": header, "sizeBytes": 5, "sha256": "aa", "quantization": "Q4_K_M", **stored}
    found = a_model(status=status)
    assert (found.architecture, found.parameter_count) == ("gemma3", 268)
    assert (found.file_size_bytes, found.sha256, found.quant_level) == (5, "aa", "Q4_K_M")
    assert found.minio_path == "a/b.gguf"


def test_transfer_of_model_row_omits_internal_fields() -> None:
    found = a_model(status={"transfer": {"percent": 43, "uploadId": "secret", "key": "k"}})
    assert found.transfer == {"percent": 43}


def test_contract_row_has_expiry() -> None:
    found = a_contract(spec={"expiresAt": "2030-01-01T00:00:00Z"})
    assert found.expires_at == "2030-01-01T00:00:00Z"


def test_invalid_expiry_is_none() -> None:
    assert a_contract(spec={"expiresAt": "soon"}).expires_at is None


def test_nul_in_text_is_replaced() -> None:
    found = row(a_server(spec={"runtimeParams": {"extraArgs": ["a\x00b"]}}))
    assert found["runtime_params"] == {"extraArgs": ["a\ufffdb"]}
