"""The keys of receipts during a rotation."""

from pathlib import Path

import pytest

from roadstead.errors import InvalidKey, InvalidReceipt, InvalidSettings
from roadstead.policy.contract.contract_policy import Caller
from roadstead.tokens.receipt_keys import SigningKey
from roadstead.tokens.receipts import Binding, Receipt
from roadstead_webhooks.admission.mutating import Author
from roadstead_webhooks.admission.receipt_signing import ReceiptKeyring, Receipts

OLD, NEW = SigningKey.generate(), SigningKey.generate()
BINDING = Binding(kind="ModelServe", namespace="demo", name="one", spec_digest="d")
ALICE = Author(caller=Caller(subject="alice"), issuer="i")


def test_new_key_signs_once_its_time_has_come() -> None:
    keys = ReceiptKeyring.parse({"0.pem": OLD.private_pem, "200.pem": NEW.private_pem})
    assert [keys.signing_key(now).key_id for now in (1, 199, 200)] == [
        OLD.key_id,
        OLD.key_id,
        NEW.key_id,
    ]


def test_receipt_is_valid_while_its_key_exists(tmp_path: Path) -> None:
    (tmp_path / "0.pem").write_bytes(OLD.private_pem)
    receipts = Receipts(tmp_path)
    text = receipts.sign(ALICE, BINDING, contract="demo", now=100)
    (tmp_path / "50.pem").write_bytes(NEW.private_pem)
    assert receipts.reload()
    assert isinstance(receipts.verify(text, BINDING, now=100), Receipt)
    (tmp_path / "0.pem").unlink()
    assert receipts.reload()
    fault = receipts.verify(text, BINDING, now=100)
    assert isinstance(fault, InvalidReceipt)
    assert fault.reason == "ReceiptKeyUnknown"


def test_invalid_keys_keep_the_old_ones(tmp_path: Path) -> None:
    (tmp_path / "0.pem").write_bytes(OLD.private_pem)
    receipts = Receipts(tmp_path)
    (tmp_path / "1.pem").write_bytes(b"junk")
    with pytest.raises(InvalidKey, match=r"1\.pem"):
        receipts.reload()
    text = receipts.sign(ALICE, BINDING, contract="", now=100)
    assert isinstance(receipts.verify(text, BINDING, now=100), Receipt)


def test_missing_folder_raises_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings):
        Receipts(tmp_path / "none")


def test_folder_without_keys_raises(tmp_path: Path) -> None:
    (tmp_path / "..data").write_bytes(b"Kubernetes' own")
    with pytest.raises(InvalidKey):
        Receipts(tmp_path)
