"""One fetch: downloads a presigned URL of the store to a verified file."""

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
from roadstead.fetch.journal import Journal, Seal, boot_id, journal_head, journal_path, part_path
from roadstead.source.dial import Anywhere, Egress
from roadstead.source.pump import Pump
from roadstead.source.ranges import RangeReader, SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import MIN_PART_BYTES, Layout, Span, plan_layout

log = logging.getLogger("roadstead.fetch")
PROGRESS_LOG_SECONDS: Final = 5.0


class UrlFile:
    """The presigned URL in a file: a mounted Secret, which the operator renews."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def current(self) -> str:
        """Return the URL that is in the file now; raises SourceError."""
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"{self._path}: can't read the presigned URL ({error.strerror})"
            raise SourceError("FetchURLMissing", message) from None

    def renew(self, used: str, refusal: SourceError) -> None:
        """Raise the refusal unless the file has another URL by now."""
        if self.current() == used:
            raise refusal


class Fetch:
    """Downloads one file."""

    def __init__(self, settings: FetchSettings, retry_policy: RetryPolicy) -> None:
        self._settings = settings
        self._retry_policy = retry_policy
        self._urls = UrlFile(settings.url_file)
        self._egress = Egress(policy=Anywhere(), authorities=settings.authorities)
        self._target = settings.target
        self._part = part_path(settings.target)
        self._seal = Seal(settings.target, settings.sha256, boot_id())

    def run(self) -> None:
        """Return once the file is complete and verified; raises ModelError or Stopping."""
        try:
            self._run()
        except SourceError as error:
            raise _translate_error(error) from None

    def _run(self) -> None:
        if self._seal.is_valid():
            log.info("%s exists already and is verified", self._target)
            return
        if self._is_complete():
            self._write_seal()
            return
        layout = plan_layout(
            self._settings.size_bytes, self._settings.connections, part_size=MIN_PART_BYTES
        )
        found = self._probe()
        journal = Journal(self._target, self._journal_head(layout), len(layout.spans))
        done = journal.load() if self._part.exists() else frozenset()
        self._check_space(sum(span.size for span in layout.spans if span.number not in done))
        try:
            journal.begin(done)
        except OSError as error:
            raise volume_error(error, self._target) from None
        self._download(layout, found, journal, done)
        self._publish()

    def _is_complete(self) -> bool:
        """Whether the file is complete, by reading it; an incomplete one is removed."""
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
                f"the object in the store has {found.size} bytes, but {self._settings.size_bytes} "
                "were verified: it was replaced; have the Model verified again"
            )
            raise ContentError("SizeMismatch", message)
        return found

    def _reader(self, found: SourceObject | None) -> RangeReader:
        return RangeReader(self._urls, self._egress, found)

    def _journal_head(self, layout: Layout) -> str:
        return journal_head(
            sha256=self._settings.sha256, size=layout.size, part_size=layout.part_size
        )

    def _check_space(self, missing: int) -> None:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            volume = os.statvfs(self._target.parent)
        except OSError as error:
            raise volume_error(error, self._target) from None
        # The blocks of parts of an earlier run are used already.
        free = volume.f_bavail * volume.f_frsize
        if free < missing:
            message = (
                f"{self._target.parent}: {missing} bytes are needed, {free} are free; increase "
                "the volume's size (ephemeral-storage, disk)"
            )
            raise VolumeError("VolumeFull", message, retry=Retry.BACKOFF)

    def _download(
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
            pump.run(_progress_logger(start, layout.size))
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
        self._write_seal()
        log.info("%s is complete and verified", self._target)

    def _write_seal(self) -> None:
        try:
            self._seal.write()
        except OSError as error:
            raise volume_error(error, self._target) from None


def _translate_error(error: SourceError) -> ModelError:
    """Return the error for the store, which is read with the reader of sources."""
    match error.reason:
        case "SourceNotFound":
            message = "the model is no longer in the store; see the conditions of its Model"
            return StoreError("StoreObjectMissing", f"{error}: {message}")
        case "SourceChanged":
            return StoreError("StoreObjectChanged", str(error))
        case "SourceURLExpired":
            message = (
                f"the store refused the presigned URL: {error}; the operator renews it, and the "
                "container retries with the new one"
            )
            return SourceError("FetchURLExpired", message)
        case "SourceClockSkewed":
            return StoreError("StoreClockSkewed", str(error))
        case "SourceSignatureInvalid" | "SourceDenied" | "SourceRegionWrong":
            message = (
                f"{error}; the store's keys or their policy have changed: once the operator has "
                "the new keys, it renews the URL, and the container retries"
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


def _progress_logger(start: int, total: int) -> Callable[[int], None]:
    logged_at = time.monotonic()

    def log_progress(moved: int) -> None:
        nonlocal logged_at
        if time.monotonic() - logged_at >= PROGRESS_LOG_SECONDS:
            logged_at = time.monotonic()
            log.info("%d%% of %d MiB", 100 * (start + moved) // total, total // 2**20)

    return log_progress
