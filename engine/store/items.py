"""Units of a step with what became of each, and every model call with its answer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from engine.records import Value
from engine.store.database import transaction
from engine.store.tallies import ItemState, add_to_tallies, count_anew
from models.language import Completion

PAGE = 1000


class Item(Value):
    """One unit of a step."""

    key: str
    seq: int
    """Its place in the seeded order in which units enter."""
    state: ItemState
    reason: str = ""
    result: str = ""
    """What came of it, as JSON: the example, or the trace of the failure."""

    @property
    def answers(self) -> list[str]:
        """What the model answered, as it stands in the trace of a unit that is no example; hostile until cleaned."""
        try:
            trace = msgspec.json.decode(self.result, type=dict[str, Any]) if self.result else {}
        except msgspec.DecodeError:
            return [self.result]
        answers = trace.get("completions")
        return [str(answer) for answer in answers] if isinstance(answers, list) else [self.result] if self.result else []


def stored_keys(connection: sqlite3.Connection, step: str) -> dict[str, ItemState]:
    """Keys of the units that are done, with their state."""
    return dict(connection.execute("SELECT key, state FROM items WHERE step = ?", (step,)).fetchall())


def store_items(connection: sqlite3.Connection, step: str, items: Iterable[Item]) -> None:
    """Add finished units; one already there in the same place is left as it is. They are no longer in flight."""
    items = list(items)
    with transaction(connection):
        before = connection.total_changes
        connection.executemany(
            "INSERT OR IGNORE INTO items (step, key, seq, state, reason, result) VALUES (?, ?, ?, ?, ?, ?)",
            [(step, item.key, item.seq, item.state, item.reason, item.result) for item in items],
        )
        if connection.total_changes - before == len(items):
            add_to_tallies(connection, step, [(item.state, item.reason) for item in items])
        else:
            count_anew(connection, step)
        done = {item.key for item in items}
        for number, keys in connection.execute("SELECT number, keys FROM in_flight WHERE step = ?", (step,)).fetchall():
            marked = msgspec.json.decode(keys, type=list[str])
            left = [key for key in marked if key not in done]
            if not left:
                connection.execute("DELETE FROM in_flight WHERE number = ?", (number,))
            elif len(left) < len(marked):
                connection.execute("UPDATE in_flight SET keys = ? WHERE number = ?", (msgspec.json.encode(left).decode(), number))
        if suspects(connection, step):
            connection.executemany("DELETE FROM suspects WHERE step = ? AND key = ?", [(step, key) for key in done])


def items_in_order(connection: sqlite3.Connection, step: str, state: ItemState, limit: int = -1) -> Iterator[Item]:
    """Units of one state in the order they entered."""
    # Page by page: a statement left open while this connection writes would hold an old snapshot, and the write would be refused.
    last: tuple[int, str] = (-1, "")
    while limit:
        page = connection.execute(
            "SELECT key, seq, state, reason, result FROM items WHERE step = ? AND state = ? AND (seq, key) > (?, ?) "
            "ORDER BY seq, key LIMIT ?",
            (step, state, *last, min(PAGE, limit) if limit > 0 else PAGE),
        ).fetchall()
        for row in page:
            yield Item(row["key"], row["seq"], row["state"], row["reason"], row["result"])
        if not page:
            return
        last = (page[-1]["seq"], page[-1]["key"])
        limit -= len(page) if limit > 0 else 0


# ── crashes ───────────────────────────────────────────────────────────────────────────────────────────────


def mark_in_flight(connection: sqlite3.Connection, step: str, keys: Iterable[str]) -> None:
    """Say which units are about to be worked on, so that a native crash can be laid at the right door."""
    connection.execute("INSERT INTO in_flight (step, keys) VALUES (?, ?)", (step, msgspec.json.encode(list(keys)).decode()))


def clear_in_flight(connection: sqlite3.Connection, step: str) -> None:
    """Nothing is being worked on: a new engine starts, or the step ended."""
    connection.execute("DELETE FROM in_flight WHERE step = ?", (step,))


def in_flight(connection: sqlite3.Connection, step: str) -> list[str]:
    """Units of a step that are being worked on, in the order they were marked."""
    marked = connection.execute("SELECT keys FROM in_flight WHERE step = ? ORDER BY number", (step,)).fetchall()
    return list(dict.fromkeys(key for (keys,) in marked for key in msgspec.json.decode(keys, type=list[str])))


def in_flight_of_run(connection: sqlite3.Connection, run: str) -> dict[str, list[str]]:
    """Units being worked on in a run's steps: step → keys. Other runs' units are none of its business."""
    steps = connection.execute(
        "SELECT DISTINCT step FROM in_flight WHERE step IN (SELECT step FROM run_steps WHERE run = ?) ORDER BY step", (run,)
    ).fetchall()
    return {step: in_flight(connection, step) for (step,) in steps}


def blame(connection: sqlite3.Connection, run: str, signal_name: str) -> list[str]:
    """After a native crash of a run's engine: a unit that crashed alone is failed, several become suspects to be run singly.

    Returns the failed keys.
    """
    failed: list[str] = []
    with transaction(connection):
        for step, keys in in_flight_of_run(connection, run).items():
            if len(keys) == 1:
                (seq,) = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM items WHERE step = ?", (step,)).fetchone()
                connection.execute(
                    "INSERT OR IGNORE INTO items (step, key, seq, state, reason) VALUES (?, ?, ?, 'failed', ?)",
                    (step, keys[0], seq, f"the engine died of {signal_name} on this unit alone"),
                )
                count_anew(connection, step)
                connection.execute("DELETE FROM suspects WHERE step = ? AND key = ?", (step, keys[0]))
                failed.append(keys[0])
            else:
                connection.executemany("INSERT OR IGNORE INTO suspects (step, key) VALUES (?, ?)", [(step, key) for key in keys])
            connection.execute("DELETE FROM in_flight WHERE step = ?", (step,))
    return failed


def suspects(connection: sqlite3.Connection, step: str) -> set[str]:
    """Units to be run singly, because one of them crashed an engine."""
    return {row[0] for row in connection.execute("SELECT key FROM suspects WHERE step = ?", (step,))}


# ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────


def stored_call(connection: sqlite3.Connection, call: str) -> Completion | None:
    """The answer to this call, if it was ever made."""
    row = connection.execute("SELECT * FROM calls WHERE hash = ?", (call,)).fetchone()
    if row is None:
        return None
    return Completion(call, row["completion"], row["finish"], row["prompt_tokens"], row["completion_tokens"], row["seconds"])


def store_call(
    connection: sqlite3.Connection, call: str, role: str, model: str, prompt: str, completion: Completion, step: str = ""
) -> None:
    """Keep an answer from the moment it is there; `step` "" for one that no step asked for."""
    with transaction(connection):
        connection.execute(
            "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                call,
                role,
                model,
                prompt,
                completion.text,
                completion.finish,
                completion.prompt_tokens,
                completion.completion_tokens,
                completion.seconds,
                time.time(),
            ),
        )
        if step:
            link_call(connection, step, call)


def link_call(connection: sqlite3.Connection, step: str, call: str) -> None:
    """Note that a step used an answer made earlier."""
    connection.execute("INSERT OR IGNORE INTO step_calls (step, hash) VALUES (?, ?)", (step, call))


def model_of_run(connection: sqlite3.Connection, run: str, role: str = "") -> str:
    """Digest of the model that answered most calls of a run's steps, or of those in one role; "" where none did."""
    row = connection.execute(
        "SELECT model FROM run_steps JOIN step_calls USING (step) JOIN calls USING (hash) WHERE run = ? AND ? IN ('', role) "
        "GROUP BY model ORDER BY count(*) DESC LIMIT 1",
        (run, role),
    ).fetchone()
    return str(row["model"]) if row else ""


def models_of_step(connection: sqlite3.Connection, step: str) -> list[str]:
    """Digests of the models whose answers a step used."""
    rows = connection.execute("SELECT DISTINCT model FROM step_calls JOIN calls USING (hash) WHERE step = ? ORDER BY model", (step,))
    return [str(row["model"]) for row in rows]


def roles_of_step(connection: sqlite3.Connection, step: str) -> list[str]:
    """Roles in which models answered for a step."""
    rows = connection.execute("SELECT DISTINCT role FROM step_calls JOIN calls USING (hash) WHERE step = ? ORDER BY role", (step,))
    return [str(row["role"]) for row in rows]


class Cost(Value):
    """What calls cost when they were made."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class Rates(Value):
    """How long a model takes on this machine, fitted to its calls so far."""

    calls: int
    per_prompt_token: float
    """Seconds; what a shared prefix saved is in it."""
    per_completion_token: float


def measured_rates(connection: sqlite3.Connection, model: str) -> Rates:
    """Least squares over the stored calls of a model: seconds = a · prompt tokens + b · completion tokens."""
    row = connection.execute(
        "SELECT count(*), total(prompt_tokens * prompt_tokens), total(prompt_tokens * completion_tokens), "
        "total(completion_tokens * completion_tokens), total(prompt_tokens * seconds), total(completion_tokens * seconds), "
        "total(seconds), total(prompt_tokens), total(completion_tokens) FROM calls WHERE model = ?",
        (model,),
    ).fetchone()
    count, pp, pc, cc, ps, cs, seconds, prompt, completion = row
    determinant = pp * cc - pc * pc
    per_prompt = (ps * cc - cs * pc) / determinant if determinant > 1e-6 * pp * cc else -1.0
    per_completion = (cs * pp - ps * pc) / determinant if determinant > 1e-6 * pp * cc else -1.0
    if per_prompt < 0 or per_completion < 0:
        # Calls too alike to tell the two apart: a prompt token costs about a quarter of a written one.
        share = seconds / max(1.0, prompt / 4 + completion)
        per_prompt, per_completion = share / 4, share
    return Rates(count, per_prompt, per_completion)


def calls_of_step(connection: sqlite3.Connection, step: str) -> Cost:
    """What the calls a step used cost when they were made."""
    row = connection.execute(
        "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), coalesce(sum(seconds), 0.0) "
        "FROM step_calls JOIN calls USING (hash) WHERE step = ?",
        (step,),
    ).fetchone()
    return Cost(*row)


def prompts_digest(connection: sqlite3.Connection, steps: Iterable[str]) -> str:
    """SHA-256 over the hashes of every call the steps used, in hash order."""
    import hashlib

    hashes: set[str] = set()
    for step in steps:
        hashes |= {row[0] for row in connection.execute("SELECT hash FROM step_calls WHERE step = ?", (step,))}
    return hashlib.sha256(msgspec.json.encode(sorted(hashes))).hexdigest()
