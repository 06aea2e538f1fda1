"""The other side of channels, as real servers: a mailbox, and a program that takes webhooks and text messages."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from simulators.mailbox.post import post_office
from simulators.mailbox.store import Box


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mailbox(folder: Path, *, port: int = 0, bounces: str = "") -> Iterator[tuple[str, Box]]:
    """A running mail server: its `smtp://` address and what it keeps."""
    box = Box(folder)
    port = port or free_port()
    post = post_office(box, host="127.0.0.1", port=port, bounces=bounces)
    post.start()
    try:
        yield f"smtp://127.0.0.1:{port}", box
    finally:
        post.stop()
        box.close()


@dataclass
class Program:
    """A program that listens by HTTP, keeps each request and answers as told."""

    url: str = ""
    answers: list[int] = field(default_factory=list)  # Statuses of the next answers; then 200.
    answer: dict[str, Any] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    dripping: bool = False  # Whether answers come without end, a header now and then.

    def ids(self) -> list[str]:
        """The ids of the webhooks it got, in order."""
        return [headers["webhook-id"] for headers, _ in self.got]


@contextmanager
def program() -> Iterator[Program]:
    """A running program."""
    listening = Program()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            listening.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if listening.dripping:
                self._drip()
                return
            content = json.dumps(listening.answer).encode()
            self.send_response(listening.answers.pop(0) if listening.answers else 200)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _drip(self) -> None:
            with contextlib.suppress(ConnectionError):
                self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                while listening.dripping:
                    self.wfile.write(b"x-more: y\r\n")
                    time.sleep(0.05)

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.url = f"http://127.0.0.1:{server.server_port}/hook?from=iocedu"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield listening
    finally:
        listening.dripping = False
        server.shutdown()
        server.server_close()
        thread.join()
