"""The migrations, without a database."""

from roadstead.ledger.schema import Migration, migrations


def test_versions_start_at_one_without_gaps() -> None:
    assert [each.version for each in migrations()] == list(range(1, len(migrations()) + 1))


def test_changed_text_has_another_digest() -> None:
    one = Migration(version=1, name="a", sql="SELECT 1")
    assert one.digest != Migration(version=1, name="a", sql="SELECT 2").digest
