"""What everything else of a platform stands on: the data directory, opened, who may sign, and the records of calls."""

import asyncio
import os
from dataclasses import dataclass

from mayfly.app.call_records import CallRecords
from mayfly.app.directory import DataDirectory, ServerInfo
from mayfly.app.life import Life
from mayfly.app.options import ServerOptions
from mayfly.app.vault import FileVault
from mayfly.app.workers import front_names
from mayfly.clock import Clock, SystemClock
from mayfly.metering.ledger import Ledger
from mayfly.services import apis, functions
from mayfly.services.identity.service import IdentityService, Secrets
from mayfly.services.telemetry.service import LogsService
from mayfly.settings import Settings
from mayfly.store.files import FileBlobs
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from mayfly.wire.signed import SignedRequests

MIGRATED = (
    "mayfly.app",
    "mayfly.images",
    "mayfly.metering",
    "mayfly.sandboxes",
    *apis.MIGRATED,
    "mayfly.services.autoscaling",
    "mayfly.services.configs",
    "mayfly.services.events",
    *functions.MIGRATED,
    "mayfly.services.identity",
    "mayfly.services.metrics",
    "mayfly.services.objects",
    "mayfly.services.pipes",
    "mayfly.services.queues",
    "mayfly.services.schedules",
    "mayfly.services.stacks",
    "mayfly.services.tables",
    "mayfly.services.telemetry",
    "mayfly.services.topics",
    "mayfly.streams",
    "mayfly.ticker",
)


@dataclass(frozen=True)
class Foundations:
    """Made by `open`; closed by the `life` that it was opened in."""

    settings: Settings
    directory: DataDirectory
    info: ServerInfo
    clock: Clock
    fronts_lock: int  # a file descriptor
    vault: FileVault
    store: SqliteStore
    blobs: FileBlobs
    queue: SqlReadyQueue
    identity: IdentityService
    signed: SignedRequests
    logs: LogsService
    ledger: Ledger
    records: CallRecords

    @classmethod
    async def open(
        cls, options: ServerOptions, settings: Settings, directory: DataDirectory, info: ServerInfo, life: Life
    ) -> "Foundations":
        """Wait until what an earlier server left has ended, and open the data directory; `MayflyError`."""
        clock = SystemClock()
        fronts_lock = await asyncio.to_thread(directory.await_fronts)
        life.at_end(lambda: os.close(fronts_lock))
        vault = FileVault(directory.root / "secrets.key")
        await asyncio.to_thread(vault.check)
        store = await SqliteStore.open(directory.database, MIGRATED, clock, vault.seal, vault.fingerprint)
        life.await_at_end(store.close)
        blobs = FileBlobs(directory.blobs, store, clock)
        life.await_at_end(blobs.close)
        queue = SqlReadyQueue(store, clock, vault)
        await queue.release_leases()  # this process is the only one on the directory, and has claimed nothing yet
        secrets = await asyncio.to_thread(
            Secrets.load, directory.root, settings.account, options.access_key_id, options.secret_access_key
        )
        identity = IdentityService(store, clock, secrets)
        logs, ledger = LogsService(store, clock), Ledger(store, clock)
        fronts = front_names(settings.http.workers)
        records = await CallRecords.open(directory.journals, store, logs.book, ledger, clock, fronts)
        life.await_at_end(records.close)
        signed = SignedRequests(identity.acting_keys, clock, settings.max_clock_skew_s)
        return cls(
            settings,
            directory,
            info,
            clock,
            fronts_lock,
            vault,
            store,
            blobs,
            queue,
            identity,
            signed,
            logs,
            ledger,
            records,
        )
