"""Debian packages are read as files, locked by sha256, and laid out without their scripts."""

import contextlib
import functools
import hashlib
import http.server
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.errors import BuildFailed, DevError
from dev.release import deb_package, debian_archive, debian_lock, debian_root
from dev.release.debian_archive import PackageGone
from dev.release.debian_lock import LockedPackage
from dev.release.layer import EntryKind, LayerEntry

CONTROL = "Package: foo\nVersion: 1:1.0-1\nArchitecture: amd64\nMulti-Arch: same\n"
FILES = {"./lib/x86/libfoo.so": b"elf", "./usr/share/man/foo.1": b"page", "./usr/bin/foo": b"#!"}


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def ar_member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def deb(files: dict[str, bytes], control: str = CONTROL) -> bytes:
    return b"!<arch>\n" + b"".join(
        (
            ar_member("debian-binary", b"2.0\n"),
            ar_member("control.tar.xz", lzma.compress(tar({"./control": control.encode()}))),
            ar_member("data.tar.xz", lzma.compress(tar(files))),
        )
    )


def root(files: dict[str, bytes]) -> dict[str, LayerEntry]:
    return {each.path: each for each in debian_root.entries([deb_package.read(deb(files))])}


def locked(**changed: str) -> LockedPackage:
    values = {"name": "foo", "version": "1", "sha256": "0" * 64, "path": "pool/foo.deb", **changed}
    return LockedPackage(architecture="arm64", size=1, **values)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder as an archive over HTTP."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_package_has_its_fields_and_files() -> None:
    found = deb_package.read(deb(FILES))
    assert found.control == CONTROL.strip()
    assert {each.path: each.content for each in found.entries}["usr/bin/foo"] == b"#!"


@pytest.mark.parametrize("data", [b"<html>", b"!<arch>\n"])
def test_file_that_is_no_package_is_refused(data: bytes) -> None:
    with pytest.raises(BuildFailed, match=r"a \.deb file"):
        deb_package.read(data)


def test_path_outside_the_root_is_refused() -> None:
    with pytest.raises(BuildFailed, match="outside its root"):
        deb_package.read(deb({"./../etc/shadow": b""}))


def test_usr_is_merged() -> None:
    found = root(FILES)
    assert found["usr/lib/x86/libfoo.so"].content == b"elf"
    assert (found["lib"].kind, found["lib"].target) == (EntryKind.LINK, "usr/lib")
    assert "lib64" not in found


def test_manuals_are_left_out_and_licences_kept() -> None:
    found = root({**FILES, "./usr/share/doc/foo/copyright": b"MIT", "./usr/share/doc/foo/x": b""})
    assert "usr/share/man/foo.1" not in found
    assert "usr/share/doc/foo/copyright" in found
    assert "usr/share/doc/foo/x" not in found


def test_names_are_resolved_as_debian_configures_it() -> None:
    name = "./usr/share/libc-bin/nsswitch.conf"
    found = root({**FILES, name: b"hosts: files dns\n"})
    assert found["etc/nsswitch.conf"].content == b"hosts: files dns\n"


def test_dpkg_status_has_the_package_as_installed() -> None:
    status = root(FILES)["var/lib/dpkg/status"].content.decode()
    assert status.startswith("Package: foo\nStatus: install ok installed\nVersion: 1:1.0-1\n")


def test_lock_is_read_as_it_is_written() -> None:
    packages = (locked(name="a"), locked(name="b", version="1:2~3+4"))
    assert debian_lock.parse(debian_lock.write(packages)) == packages


def test_invalid_line_of_the_lock_is_named() -> None:
    with pytest.raises(DevError, match=r"invalid line 'arm64 foo'.*run `make lock`"):
        debian_lock.parse("arm64 foo\n")


def test_selection_of_apt_is_read() -> None:
    line = "'http://h/pool/f_1%3a2_arm64.deb' foo_1%3a2+b1_arm64.deb 12 SHA256:00\nReading...\n"
    assert list(debian_lock.selected(line)) == [("foo", "1:2+b1")]


def test_repository_has_the_same_packages_for_each_architecture() -> None:
    packages = debian_lock.parse(debian_lock.LOCK.read_text())
    names = {
        architecture: [each.name for each in packages if each.architecture == architecture]
        for architecture in debian_lock.ARCHITECTURES
    }
    assert names["amd64"] == names["arm64"]
    assert set(debian_lock.WANTED) <= set(names["amd64"])


def test_downloaded_package_with_another_content_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wanted = locked(sha256=hashlib.sha256(b"good").hexdigest())
    stored = debian_archive.stored(wanted)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"bad")
    with pytest.raises(DevError, match="foo 1 for arm64 has the sha256"):
        debian_archive.fetch(wanted, [])


def test_package_is_fetched_from_the_archive_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a" / "pool").mkdir(parents=True)
    (tmp_path / "a" / "pool" / "foo.deb").write_bytes(b"good")
    wanted = locked(sha256=hashlib.sha256(b"good").hexdigest())
    with served(tmp_path) as url:
        assert debian_archive.fetch(wanted, [f"{url}/empty/", f"{url}/a/"]) == b"good"
    assert debian_archive.fetch(wanted, []) == b"good"


def test_package_that_no_archive_has_is_named_with_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with (
        served(tmp_path) as url,
        pytest.raises(
            PackageGone, match=r"foo 1 for arm64 is no longer in Debian's archives: run `make lock`"
        ),
    ):
        debian_archive.fetch(locked(), [f"{url}/"])
