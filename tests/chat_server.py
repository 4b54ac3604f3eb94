"""A chat server on this machine's loopback, for tests: answers with a scripted model, after whatever faults it was given."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from models.language import Message, Request, Sampling
from models.scripted import ScriptedModel


class ChatServer:
    """Serves while it is open. `faults` are answered first, one a request: (status, headers, body)."""

    def __init__(self, model: ScriptedModel, listed: list[dict[str, Any]] | None = None) -> None:
        self.model = model
        self.listed = listed if listed is not None else [{"id": model.identity.name, "max_model_len": model.context_length}]
        self.faults: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        outer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*outer._next_fault() or (200, {}, json.dumps({"data": outer.listed}).encode()))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.asked.append(body)
                self._send(*outer._next_fault() or outer._answer(body))

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next_fault(self) -> tuple[int, dict[str, str], bytes] | None:
        with self._lock:
            return self.faults.pop(0) if self.faults else None

    def _answer(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        form = body.get("response_format", {})
        schema = form.get("json_schema", form).get("schema")
        messages = tuple(Message(**message) for message in body["messages"])
        sampling = Sampling(temperature=body["temperature"], seed=body["seed"], max_tokens=body["max_tokens"])
        done = next(self.model.complete_many([Request("k", messages, schema, sampling)]))
        if done.finish == "error":
            return 400, {}, json.dumps({"error": {"message": done.error}}).encode()
        choice = {"message": {"role": "assistant", "content": done.text}, "finish_reason": done.finish}
        usage = {"prompt_tokens": done.prompt_tokens, "completion_tokens": done.completion_tokens}
        return 200, {}, json.dumps({"choices": [choice], "usage": usage}).encode()
