"""The run a person means by the few letters they typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.store.database import Connection
    from engine.store.runs import Run


def find_run(connection: Connection, run_id: str) -> Run:
    """The run a person means. Raises BadInput."""
    from engine.store.runs import list_runs, read_run

    found = read_run(connection, run_id)
    if found is None:
        known = [one.id for one in list_runs(connection)[:5]]
        raise BadInput(f"no run {run_id!r}", f"the latest: {', '.join(known)}" if known else "there are none yet: datatune demo")
    return found
