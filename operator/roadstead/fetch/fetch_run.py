"""One fetch: from a presigned URL of the store to a verified file."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from roadstead.errors import (
    ContentError,
    ModelError,
    Retry,
    SourceError,
    StoreError,
    VolumeError,
)
from roadstead.fetch.fetch_settings import FetchSettings
from roadstead.fetch.file import Digest, FileSink, PartFile, volume_error
from roadstead.fetch.journal import Journal, Seal, boot_id, head, journal_path, part_path
from roadstead.source.dial import Anywhere
from roadstead.source.pump import Pump
from roadstead.source.ranges import RangeReader, SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import MIN_PART_BYTES, Layout, Span, plan_layout

log = logging.getLogger("roadstead.fetch")
TOLD_SECONDS: Final = 5.0


class UrlFile:
    """The presigned URL in a file: a mounted Secret, which the operator renews."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def current(self) -> str:
        """What the file says now; raises SourceError."""
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"{self._path}: there is no presigned URL to read ({error.strerror})"
            raise SourceError("FetchURLMissing", message) from None

    def renew(self, used: str, refusal: SourceError) -> None:
        """See whether the file has another URL by now; raises the refusal where it has not."""
        if self.current() == used:
            raise refusal


class Fetch:
    """Brings one file to its place."""

    def __init__(self, settings: FetchSettings, retry_policy: RetryPolicy) -> None:
        self._settings = settings
        self._retry_policy = retry_policy
        self._urls = UrlFile(settings.url_file)
        self._target = settings.target
        self._part = part_path(settings.target)
        self._seal = Seal(settings.target, settings.sha256, boot_id())

    def run(self) -> None:
        """Return once the file is there and verified; raises ModelError or Stopping."""
        try:
            self._run()
        except SourceError as error:
            raise _in_words_of_the_store(error) from None

    def _run(self) -> None:
        if self._seal.holds():
            log.info("%s is there already, verified", self._target)
            return
        if self._is_there():
            self._sealed()
            return
        layout = plan_layout(
            self._settings.size_bytes, self._settings.connections, part_size=MIN_PART_BYTES
        )
        found = self._probe()
        journal = Journal(self._target, self._head(layout), len(layout.spans))
        done = journal.load() if self._part.exists() else frozenset()
        self._check_space(sum(span.size for span in layout.spans if span.number not in done))
        try:
            journal.begin(done)
        except OSError as error:
            raise volume_error(error, self._target) from None
        self._bring(layout, found, journal, done)
        self._publish()

    def _is_there(self) -> bool:
        """Whether the file is whole, by reading it; one that isn't is removed."""
        if not self._target.exists():
            return False
        if self._target.stat().st_size == self._settings.size_bytes:
            file = PartFile(self._target, self._settings.size_bytes, keep=True)
            digest = Digest()
            try:
                for view in file.read(Span(number=1, start=0, size=self._settings.size_bytes)):
                    digest.follow(view)
                digest.check(self._settings.sha256)
            except ContentError as error:
                log.warning("%s", error)
            else:
                return True
            finally:
                file.close()
        self._target.unlink(missing_ok=True)
        return False

    def _probe(self) -> SourceObject:
        reader = self._reader(None)
        try:
            found = self._retry_policy.run(reader.probe)
        finally:
            reader.close()
        if found.size != self._settings.size_bytes:
            message = (
                f"the store has {found.size} bytes, {self._settings.size_bytes} were verified: "
                "the object was replaced; verify the Model anew"
            )
            raise ContentError("SizeMismatch", message)
        return found

    def _reader(self, found: SourceObject | None) -> RangeReader:
        return RangeReader(self._urls, Anywhere(), found)

    def _head(self, layout: Layout) -> str:
        return head(sha256=self._settings.sha256, size=layout.size, part_size=layout.part_size)

    def _check_space(self, missing: int) -> None:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            volume = os.statvfs(self._target.parent)
        except OSError as error:
            raise volume_error(error, self._target) from None
        # Of an earlier run's parts the file's blocks count as used already.
        free = volume.f_bavail * volume.f_frsize
        if free < missing:
            message = (
                f"{self._target.parent}: {free} bytes are free, {missing} more are needed; give "
                "the volume more (ephemeral-storage, disk)"
            )
            raise VolumeError("VolumeFull", message, retry=Retry.BACKOFF)

    def _bring(
        self, layout: Layout, found: SourceObject, journal: Journal, done: frozenset[int]
    ) -> None:
        if done:
            log.info("resuming with %d of %d parts", len(done), len(layout.spans))
        file = PartFile(self._part, layout.size, keep=bool(done))
        digest = Digest()
        try:
            pump = Pump(
                layout=layout,
                spans=layout.spans,
                reader=lambda: self._reader(found),
                sink=lambda: FileSink(file, journal),
                retry_policy=self._retry_policy,
                follower=digest,
                known=file.read,
                done=done,
            )
            start = sum(span.size for span in layout.spans if span.number in done)
            pump.run(_teller(start, layout.size))
            digest.check(self._settings.sha256)
        except ContentError:
            self._part.unlink(missing_ok=True)
            journal_path(self._target).unlink(missing_ok=True)
            raise
        finally:
            file.close()

    def _publish(self) -> None:
        try:
            self._part.rename(self._target)
            journal_path(self._target).unlink(missing_ok=True)
        except OSError as error:
            raise volume_error(error, self._target) from None
        self._sealed()
        log.info("%s is there, verified", self._target)

    def _sealed(self) -> None:
        try:
            self._seal.write()
        except OSError as error:
            raise volume_error(error, self._target) from None


def _in_words_of_the_store(error: SourceError) -> ModelError:
    """The store is read as any source is; a person who reads of it thinks of the store."""
    match error.reason:
        case "SourceNotFound":
            message = "the model is not in the store any more; its Model says what has become of it"
            return StoreError("StoreObjectMissing", f"{error}: {message}")
        case "SourceChanged":
            return StoreError("StoreObjectChanged", str(error))
        case "SourceURLExpired":
            message = (
                f"the store refuses the presigned URL: {error}; the operator renews it, and the "
                "container tries again with the new one"
            )
            return SourceError("FetchURLExpired", message)
        case "SourceClockSkewed":
            return StoreError("StoreClockSkewed", str(error))
        case "SourceSignatureInvalid" | "SourceDenied" | "SourceRegionWrong":
            message = (
                f"{error}; the store's keys or their policy have changed: once the operator has "
                "the new keys it renews the URL, and the container tries again"
            )
            return StoreError("StoreDenied", message)
        case "SourceUntrusted":
            return StoreError("StoreUntrusted", str(error))
        case "SourceUnreachable" | "SourceUnavailable" | "SourceTruncated" | "SourceTooSlow":
            message = (
                f"{error}; check that the store runs and that NetworkPolicies let pods reach it"
            )
            return StoreError(error.reason.replace("Source", "Store"), message)
    return error


def _teller(start: int, total: int) -> Callable[[int], None]:
    told = time.monotonic()

    def tell(moved: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TOLD_SECONDS:
            told = time.monotonic()
            log.info("%d%% of %d MiB", 100 * (start + moved) // total, total // 2**20)

    return tell
