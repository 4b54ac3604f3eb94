"""A process that answers questions while the screens are open: it holds what takes seconds to load, an embedder or a model."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from datatune_tui.engine_process import Refused

LONGEST_LINE = 16 << 20


class AnsweringProcess:
    """Asked one question at a time; one that waits while another of its kind comes gets no answer."""

    def __init__(self, command: str) -> None:
        """`command` reads lines of JSON and answers each with one, such as "catalog serve"."""
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._number = 0
        self._ending: list[asyncio.subprocess.Process] = []
        self._latest: dict[str, int] = {}
        """Number of the last question, by kind."""

    async def ask(self, kind: str, **question: Any) -> dict[str, Any] | None:
        """The answer, or None where another question of this kind came while this one waited. Raises Refused."""
        self._number += 1
        number = self._latest[kind] = self._number
        async with self._lock:
            # Whoever typed on does not want the answer to what they had typed before.
            if number != self._latest[kind]:
                return None
            process = await self._started()
            assert process.stdin and process.stdout
            try:
                process.stdin.write(json.dumps({"id": number, **question}).encode() + b"\n")
                await process.stdin.drain()
                while line := await process.stdout.readline():
                    answer = json.loads(line)
                    if answer.get("id") in (number, -1):
                        break
                else:
                    raise Refused(f"`datatune {self._command}` has ended", "asking again starts it anew; see: datatune doctor")
            except (OSError, ValueError) as error:
                await self.close()
                raise Refused(f"`datatune {self._command}` does not answer: {error}", "see: datatune doctor") from error
            except BaseException:
                await self.close()  # half an answer may be on its way
                raise
        if "error" in answer:
            raise Refused(answer["error"], answer.get("hint", ""))
        found: dict[str, Any] = answer
        return found

    async def close(self) -> None:
        """End the process, and wait for one that is being ended already: its pipes must be closed before the event loop is."""
        process, self._process = self._process, None
        if process:
            self._ending.append(process)
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        for one in tuple(self._ending):
            await one.wait()
        self._ending.clear()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "engine",
                *self._command.split(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LONGEST_LINE,
            )
        return self._process
