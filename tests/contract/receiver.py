"""An HTTP server that answers as a test says."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """An HTTP server whose answer the test sets."""

    def __init__(self) -> None:
        self.interim: int | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"ok"
        self.received: list[bytes] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                if server.interim is not None:
                    self.send_response_only(server.interim)
                    self.send_header("Link", "</style.css>; rel=preload")
                    self.end_headers()
                self.send_response_only(server.status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                if server.status not in (204, 304):
                    self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                if server.status not in (204, 304):
                    self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Keep the output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
