"""A Hub of a few files on loopback: what the real client asks of the real one, answered from memory."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GATED = "acme/gated"


def handler_of(repository: str, files: dict[str, bytes], asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def answer(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            asked.append(f"{self.command} {path}")
            if GATED in path:
                return self.send(403, b"{}", {"X-Error-Code": "GatedRepo"}, body=body)
            if path in (f"/api/datasets/{repository}/revision/{name}" for name in ("main", "v1", COMMIT)):
                siblings = [{"rfilename": name} for name in files]
                content = json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode()
                return self.send(200, content, {"Content-Type": "application/json"}, body=body)
            if path.startswith(f"/api/datasets/{repository}/revision/"):
                return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body=body)
            name = path.removeprefix(f"/datasets/{repository}/resolve/{COMMIT}/")
            if name in files:
                etag = hashlib.sha256(files[name]).hexdigest()
                return self.send(200, files[name], {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}, body=body)
            return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body=body)

        def send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serve(repository: str, files: dict[str, bytes]):
    """(address, requests so far) of a Hub that has one dataset, at one commit."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(repository, files, asked))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
