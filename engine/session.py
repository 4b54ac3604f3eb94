"""What all steps of one engine process share, and the pulse that says the process is alive."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import Cancelled, EngineError
from engine.locations import Locations
from engine.roles import Roles
from engine.rows_here import RowsHere
from engine.store import events, runs, steps
from engine.store.database import Connection, DatabaseError
from engine.store.lease import Owner
from engine.store.origins import Origin, origin_of

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog

BEAT_SECONDS = 2.0
LOOK_SECONDS = 0.05
"""How long a cancel may go unseen: a look costs as much as a unit of a plan without model steps."""


class BudgetSpent(EngineError):
    """The time the user gave is over; what was made so far is used."""


class Session:
    """What all steps of one engine process share: database, models, catalog, time limit."""

    def __init__(self, connection: Connection, run: str, owner: Owner, locations: Locations, roles: Roles, budget_seconds: float) -> None:
        self.connection = connection
        self.run = run
        self.owner = owner
        self.locations = locations
        self.roles = roles
        self.deadline = time.monotonic() + budget_seconds if budget_seconds else None
        self.step = ""
        self.spent = False
        """No time limit any more: the budget ended a step early with what it had, or only the export is left."""
        self.budget_ended = False
        self.terminated = False
        self.heeds_commands = True
        """Whether a cancel sent to the run is for this process."""
        self.watch: Callable[[str, int, int | None, str], None] | None = None
        """Gets stage, done, total and unit where somebody looks on in this process."""
        self.parent = 0
        """The watcher; when it is gone, so are we."""
        self._next_look = 0.0
        self._catalog: Catalog | None = None
        self._data: RowsHere | None = None
        self._origin: Origin | None = None

    @property
    def origin(self) -> Origin:
        """What the run knew on the machine it comes from; nothing where it was begun here."""
        if self._origin is None:
            self._origin = origin_of(self.connection, self.run) or Origin("")
        return self._origin

    @property
    def catalog(self) -> Catalog:
        """The catalog, opened on first use."""
        if self._catalog is None:
            from engine.catalog_here import catalog_here

            self._catalog = catalog_here(self.locations, self.roles)
            self._catalog.searched_elsewhere = self.origin.catalog
        return self._catalog

    @property
    def data(self) -> RowsHere:
        """The data sets on this machine."""
        if self._data is None:
            self._data = RowsHere(self.catalog, self.locations.cache, self.origin.data)
        return self._data

    def event(self, kind: str, text: str, stage: str = "", candidate: str = "", **data: Any) -> None:
        """Append to the run's story."""
        events.add_event(self.connection, self.run, kind, text, stage=stage, candidate=candidate, **data)

    def check(self) -> None:
        """Let a cancel or the end of the budget take effect."""
        if self.terminated:
            raise Cancelled("ended from outside", f"go on with: datatune resume {self.run}")
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if self.parent and os.getppid() != self.parent:
            raise Cancelled("ended from outside", f"go on with: datatune resume {self.run}")
        if self.heeds_commands and runs.take_command(self.connection, self.run) == "cancel":
            raise Cancelled("cancelled", f"go on with: datatune resume {self.run}")
        if self.deadline and not self.spent and now > self.deadline:
            raise BudgetSpent("the time budget is spent")


class Pulse(threading.Thread):
    """Says every two seconds that this engine is alive, over a connection of its own."""

    def __init__(self, database: Path, session: Session) -> None:
        super().__init__(name="pulse", daemon=True)
        self._database = database
        self._session = session
        self._over = threading.Event()

    def run(self) -> None:
        from engine.store.database import open_small_writer

        connection = open_small_writer(self._database)
        while not self._over.wait(BEAT_SECONDS):
            try:
                steps.beat(connection, self._session.run, self._session.step)
            except DatabaseError:
                continue  # the main thread meets the same trouble and reports it
        connection.close()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self.join()
