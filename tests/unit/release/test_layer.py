"""A layer depends on its entries alone."""

import gzip
import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from dev.release.layer import LAYER_TIME, Layer, LayerEntry, digest, directory, file, link, pack

ENTRIES = (file("a/b", "x"), file("a/run", b"y", 0o755), link("c", "a/b"), directory("tmp", 0o1777))


def members(layer: Layer) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer.blob)) as tar:
        return tar.getmembers()


@given(st.permutations(ENTRIES))
def test_order_of_the_entries_does_not_matter(entries: list[LayerEntry]) -> None:
    assert pack(entries, "").blob == pack(ENTRIES, "").blob


def test_members_have_a_fixed_owner_and_time() -> None:
    found = members(pack(ENTRIES, ""))
    assert {(each.uid, each.gid, each.uname, each.mtime) for each in found} == {
        (0, 0, "", LAYER_TIME)
    }


def test_parents_precede_their_content() -> None:
    assert [each.name for each in members(pack(ENTRIES, ""))] == ["a", "a/b", "a/run", "c", "tmp"]


def test_modes_and_targets_are_kept() -> None:
    found = {each.name: each for each in members(pack(ENTRIES, ""))}
    assert found["a/run"].mode == 0o755
    assert found["tmp"].mode == 0o1777
    assert found["c"].linkname == "a/b"


def test_later_entry_replaces_an_earlier_one() -> None:
    layer = pack([file("a", "old"), file("a", "new")], "")
    with tarfile.open(fileobj=io.BytesIO(layer.blob)) as tar:
        stream = tar.extractfile("a")
        assert stream is not None
        assert stream.read() == b"new"


def test_diff_id_is_the_digest_of_the_uncompressed_layer() -> None:
    layer = pack(ENTRIES, "")
    assert layer.diff_id == digest(gzip.decompress(layer.blob))
