"""The page's server: this machine only, one request after the other, nothing but the standard library.

A page of another site must not be able to use it. The socket listens on 127.0.0.1; a request whose Host is not this address is
refused, since a foreign name may be made to point here (DNS rebinding); a question has to be JSON from this very origin, which
a foreign page cannot send without being asked first. What people type and models say is put into the page as text, never as
markup, and the content security policy allows no script but the page's own.
"""

import json
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from seq2seq.config.errors import UserError
from seq2seq.study.explore.page import page
from seq2seq.study.explore.translators import Translators, load_translators

ADDRESS = "127.0.0.1"
_LARGEST_BODY = 64 * 1024
_SECONDS = 30
"""How long a connection may keep the server waiting."""


class Server(HTTPServer):
    """Answers for some translators.

    Args:
        translators: who translates.
        port: 0 for a free one.
    """

    def __init__(self, translators: Translators, port: int) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.translators = translators
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = _SECONDS
    server_version = "seq2seq"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the page."""
        if not self._is_ours():
            return
        if self.path != "/":
            self._send(404, "text/plain; charset=utf-8", b"not found")
            return
        nonce = token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        content = page(list(self.server.translators.runs), nonce).encode()
        self._send(200, "text/html; charset=utf-8", content, {"Content-Security-Policy": policy})

    def do_POST(self) -> None:
        """Translate a sentence."""
        if not self._is_ours():
            return
        if self.path != "/translate":
            self._send(404, "text/plain; charset=utf-8", b"not found")
            return
        try:
            self._json(200, {"answers": self.server.translators.translate(self._question())})
        except UserError as error:
            self._json(400, {"error": str(error)})

    def _question(self) -> str:
        """Read the sentence of a request.

        Raises:
            UserError: the body is not such a question.
        """
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            raise UserError(f"expected a body of at most {_LARGEST_BODY:,} bytes")
        try:
            question = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise UserError("expected JSON") from None
        if not isinstance(question, dict) or not isinstance(question.get("text"), str):
            raise UserError('expected {"text": "a sentence"}')
        return str(question["text"])

    def _is_ours(self) -> bool:
        """Whether the request comes from this page or a person at this machine; otherwise it is refused."""
        origin = self.headers.get("Origin")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if self.headers.get("Host") not in self.server.hosts:
            why = f"this page is at http://{ADDRESS}:{self.server.server_port}/ and answers to no other name"
        elif origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            why = "a page of another site may not ask here"
        elif self.command == "POST" and kind != "application/json":
            why = "a question has to be application/json"
        else:
            return True
        self._send(403, "text/plain; charset=utf-8", why.encode())
        return False

    def _json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        usual = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        for name, value in {**usual, **(headers or {}), "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.close_connection = True  # a body that was refused is not read as the next request
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: what somebody types is nobody's business."""


def serve(paths: Sequence[Path], *, port: int, allow_code: bool = False) -> None:
    """Serve the page until the person stops it.

    Raises:
        UserError: no runs there, or the port is taken.
    """
    translators = load_translators(paths, allow_code=allow_code)
    try:
        server = Server(translators, port)
    except OSError as error:
        raise UserError(f"port {port}: {error.strerror}; give another with --port, or --port 0 for a free one") from None
    with server:
        print(f"http://{ADDRESS}:{server.server_port}/  ({', '.join(translators.runs)}); Ctrl-C ends it", file=sys.stderr)
        server.serve_forever()
