"""The page to look into the mailbox, and the same as JSON. Mails' own pages are shown in a frame that runs nothing."""

import html
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simulators.mailbox.store import Box, Mail

_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:0;color:#16202c;background:#eef1f5}main{max-width:60em;margin:auto;"
    "padding:16px}header{background:#7a3b00;color:#fff;padding:10px 20px}table{width:100%;border-collapse:collapse;"
    "background:#fff}td,th{padding:7px 10px;border-bottom:1px solid #dde3ea;text-align:left}pre{background:#fff;"
    "padding:14px;white-space:pre-wrap}iframe{width:100%;height:420px;border:1px solid #dde3ea;background:#fff}"
)
_BANNER = "<header><b>Hộp thư thử (mô phỏng)</b>: thư chỉ nằm lại trên máy này, không gửi đi đâu.</header>"


class Handler(BaseHTTPRequestHandler):
    """Answers browsers and tests."""

    server_version = "iocedu-mailbox-simulator"
    box: Box

    def do_GET(self) -> None:
        """Show the list, a mail, or JSON."""
        path = self.path.partition("?")[0]
        if path == "/mo-phong/song":
            self._send("ok", "text/plain")
        elif path == "/mails.json":
            self._send(json.dumps([_told(mail) for mail in self.box.mails()], ensure_ascii=False), "application/json")
        elif path == "/":
            self._send(_list(self.box.mails(limit=200)), "text/html")
        elif path.startswith("/mail/") and path[6:].isdigit() and (mail := self.box.mail(int(path[6:]))):
            self._send(_mail(mail), "text/html")
        else:
            self._send("Không có thư này.", "text/plain", HTTPStatus.NOT_FOUND)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing of each request."""

    def _send(self, text: str, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", f"{kind}; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-simulator", "mailbox")
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """Serves the page; its threads end with it."""

    daemon_threads = True


def _told(mail: Mail) -> dict[str, object]:
    return {
        "message_id": mail.message_id,
        "to": mail.recipient,
        "subject": mail.subject,
        "received": mail.received,
        "arrivals": mail.arrivals,
        "text": mail.body("plain"),
    }


def _list(mails: list[Mail]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(mail.received)}</td><td>{html.escape(mail.recipient)}</td>"
        f'<td><a href="/mail/{mail.mail_id}">{html.escape(mail.subject)}</a></td><td>{mail.arrivals}</td></tr>'
        for mail in mails
    )
    head = "<tr><th>Nhận lúc (UTC)</th><th>Tới</th><th>Tiêu đề</th><th>Số lần tới</th></tr>"
    table = f"<table>{head}{rows}</table>" if mails else "<p>Chưa có thư nào.</p>"
    return _page("Hộp thư thử", table)


def _mail(mail: Mail) -> str:
    frame = f'<iframe sandbox srcdoc="{html.escape(mail.body("html"), quote=True)}" title="HTML"></iframe>'
    headers = "".join(f"{html.escape(name)}: {html.escape(str(value))}\n" for name, value in mail.parsed.items())
    plain = f"<h2>Văn bản</h2><pre>{html.escape(mail.body('plain'))}</pre>"
    return _page(mail.subject, f'<p><a href="/">← Hộp thư</a></p>{frame}{plain}<h2>Đầu thư</h2><pre>{headers}</pre>')


def _page(title: str, body: str) -> str:
    head = (
        f"<!doctype html><html lang=vi><meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    return f"{head}{_BANNER}<main><h1>{html.escape(title)}</h1>{body}</main>"
