"""The Hub: its cache first, a fetch only when asked, tried against a server that speaks its protocol."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from engine.catalog import hub
from engine.catalog.catalog import Catalog
from engine.catalog.rows import open_rows
from engine.catalog.scan import scan_folder
from engine.errors import BadInput, StoreUnusable, Unavailable

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Pairs\n\nPairs of words.",
    "data/train.csv": b"a,b\nx,1\ny,2\n",
    "data/test.jsonl": b'{"a": "z", "b": 3}\n',
    "pairs.py": b"raise SystemExit",
    "weights.pkl": b"\x80\x04.",
    "picture.png": b"\x89PNG",
}


class StubHub(ThreadingHTTPServer):
    """Serves one data set, someone/pairs, and refuses others by their names."""

    files: dict[str, bytes] = FILES
    asked: list[str]


class _Answers(BaseHTTPRequestHandler):
    server: StubHub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        files = self.server.files
        if path.startswith("/api/datasets/someone/pairs/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()} for name, data in files.items()
            ]
            self._say(200, json.dumps(tree).encode())
        elif path.startswith("/api/datasets/someone/pairs"):
            siblings = [{"rfilename": name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()} for name, data in files.items()]
            self._say(200, json.dumps({"id": "someone/pairs", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}).encode())
        elif path.startswith(f"/datasets/someone/pairs/resolve/{COMMIT}/"):
            data = files[path.split(f"{COMMIT}/", 1)[1]]
            self._say(200, data, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'})
        elif "/someone/gated" in path:
            self._say(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif "/someone/private" in path:
            self._say(401, b"{}")
        elif "/someone/broken" in path:
            self._say(500, b"{}")
        else:
            self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StubHub]:
    server = StubHub(("127.0.0.1", 0), _Answers)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    yield server
    server.shutdown()
    server.server_close()


def _cached(root: Path, dataset: str, commit: str, files: dict[str, bytes]) -> None:
    """Lay a snapshot out as the Hub's tools do: blobs, and links to them."""
    storage = root / f"datasets--{dataset.replace('/', '--')}"
    for name, data in files.items():
        blob = storage / "blobs" / hashlib.sha1(data).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link = storage / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)


def test_the_size_is_told_before_anything_is_downloaded(stub: StubHub) -> None:
    quoted = hub.quote("someone/pairs")
    assert quoted.revision == COMMIT
    assert [file.path for file in quoted.files] == ["README.md", "data/train.csv", "data/test.jsonl"]
    assert quoted.bytes == sum(len(FILES[file.path]) for file in quoted.files)
    assert quoted.left_out == 3
    assert not any("/resolve/" in asked for asked in stub.asked)


def test_a_fetch_brings_data_and_card_and_no_code(stub: StubHub, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    quoted = hub.quote("someone/pairs")
    snapshot = hub.fetch(quoted, progress=lambda done, total: told.append((done, total)))
    present = {path.relative_to(snapshot.path).as_posix() for path in Path(snapshot.path).rglob("*") if path.is_file()}
    assert present == {"README.md", "data/train.csv", "data/test.jsonl"}
    assert told[-1] == (quoted.bytes, quoted.bytes)
    data = scan_folder(Path(snapshot.path), "someone/pairs", within=Path(snapshot.within), revision=snapshot.revision)
    rows = open_rows(data, cache=tmp_path / "cache")
    assert [row.values for row in rows] == [{"a": "x", "b": 1}, {"a": "y", "b": 2}]
    assert (rows.revision, rows.licence, rows.dataset) == (COMMIT, "mit", "someone/pairs")


def test_what_was_fetched_is_found_again_without_the_network(stub: StubHub, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog", None)
    (tmp_path / "cards.jsonl").write_text(json.dumps({"id": "someone/pairs", "card_markdown": "# Pairs of words"}))
    catalog.import_cards(tmp_path / "cards.jsonl")
    assert not catalog.search("pairs")[0].available
    with pytest.raises(Unavailable, match="not on this machine"):
        catalog.data("someone/pairs")
    hub.fetch(hub.quote("someone/pairs"))
    stub.asked.clear()
    assert catalog.search("pairs")[0].available
    assert catalog.data("someone/pairs").revision == COMMIT
    assert stub.asked == []


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("someone/gated", "gated"),
        ("someone/private", "private|refuses"),
        ("someone/missing", "no data set"),
        ("someone/broken", "500"),
    ],
)
def test_why_a_data_set_cannot_be_had_is_one_line(stub: StubHub, dataset: str, words: str) -> None:
    with pytest.raises(Unavailable, match=words) as error:
        hub.quote(dataset)
    assert "\n" not in error.value.title + error.value.hint
    assert error.value.hint


def test_a_hub_out_of_reach_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        hub.quote("someone/pairs", endpoint="http://127.0.0.1:9")


def test_a_data_set_that_is_only_a_script_is_refused(stub: StubHub) -> None:
    stub.files = {"README.md": b"# x", "pairs.py": b"raise SystemExit"}
    with pytest.raises(Unavailable, match="never runs code"):
        hub.quote("someone/pairs")


def test_names_that_would_leave_the_folder_are_never_fetched(stub: StubHub) -> None:
    stub.files = {"a.csv": b"a,b\n1,2\n", "../up.csv": b"", "/root.csv": b"", "x\\..\\y.csv": b""}
    assert [file.path for file in hub.quote("someone/pairs").files] == ["a.csv"]


def test_what_does_not_fit_is_not_begun(stub: StubHub) -> None:
    huge = hub.Quote(dataset="someone/pairs", revision=COMMIT, files=(hub.RemoteFile("a.csv", 2**60),), left_out=0, endpoint="")
    with pytest.raises(StoreUnusable, match="free"):
        hub.fetch(huge)


@pytest.mark.parametrize("dataset", ["../../etc", "a/b/c", "", "a b", "a/../b"])
def test_what_is_no_id_reaches_neither_disk_nor_network(stub: StubHub, dataset: str) -> None:
    with pytest.raises(BadInput):
        hub.quote(dataset)
    assert not hub.is_cached(dataset)
    assert stub.asked == []


def test_the_cached_commit_that_main_names_is_taken_and_links_stay_inside(tmp_path: Path) -> None:
    old, new = "a" * 40, "b" * 40
    _cached(tmp_path, "x/y", old, {"train.csv": b"a,b\n1,2\n"})
    _cached(tmp_path, "x/y", new, {"train.csv": b"a,b\n3,4\n"})
    (tmp_path / "datasets--x--y" / "refs").mkdir()
    (tmp_path / "datasets--x--y" / "refs" / "main").write_text(old)
    snapshot = hub.cached_snapshot("x/y", tmp_path)
    assert snapshot.revision == old
    data = scan_folder(Path(snapshot.path), "x/y", within=Path(snapshot.within), revision=snapshot.revision)
    assert next(iter(open_rows(data, cache=tmp_path / "cache"))).values == {"a": 1, "b": 2}


def test_a_card_alone_in_the_cache_is_no_data(tmp_path: Path) -> None:
    _cached(tmp_path, "x/y", "a" * 40, {"README.md": b"# x"})
    assert not hub.is_cached("x/y", tmp_path)
