"""Starts the mailbox: `python -m simulators.mailbox --listen 127.0.0.1:8025 --smtp 127.0.0.1:2525 --data FOLDER`."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from simulators.mailbox.page import Handler, Server
from simulators.mailbox.post import post_office
from simulators.mailbox.store import Box


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m simulators.mailbox", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8025", help="host:port of the page (default: %(default)s)")
    parser.add_argument("--smtp", default="127.0.0.1:2525", help="host:port of SMTP (default: %(default)s)")
    parser.add_argument("--bounces", default="", help="host:port to which mails come back by SMTP (default: none do)")
    parser.add_argument("--data", type=Path, required=True, help="folder of its store")
    options = parser.parse_args()
    box = Box(options.data)
    host, _, port = options.smtp.rpartition(":")
    post = post_office(box, host=host, port=int(port), bounces=options.bounces)
    post.start()
    Handler.box = box
    page_host, _, page_port = options.listen.rpartition(":")
    server = Server((page_host, int(page_port)), Handler)

    def stop(_number: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    sys.stdout.write(f"mailbox simulator at http://{options.listen}/, SMTP at {options.smtp}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.1)
    post.stop()
    box.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
