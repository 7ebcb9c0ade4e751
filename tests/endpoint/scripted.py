"""A real HTTP server on loopback that fails as it is told to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What the server does about one request."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drip: float = 0.0  # seconds between two bytes of the body


def completions(*texts: str, finish: str = "stop") -> Answer:
    choices = [
        {"index": i, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        for i, text in enumerate(texts)
    ]
    return Answer(body={"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": choices})


@dataclass
class Scripted:
    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def scripted(answer: Callable[[int, dict[str, Any]], Answer]) -> Iterator[Scripted]:
    """A server; `answer` gets the number of the request, from 0, and its body."""
    lock, seen = threading.Lock(), Scripted("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                number = len(seen.bodies)
                seen.bodies.append(body)
                seen.keys.append(self.headers["authorization"])
            told = answer(number, body)
            time.sleep(told.seconds)
            content = told.body.encode() if isinstance(told.body, str) else json.dumps(told.body).encode()
            try:
                self.send_response(told.status)
                for name, value in {"content-type": "application/json", **told.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                for part in map(bytes, zip(content)) if told.drip else [content]:
                    time.sleep(told.drip)
                    self.wfile.write(part)
            except OSError:
                pass  # the client has gone

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
