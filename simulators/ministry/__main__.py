"""Starts the simulator: `python -m simulators.ministry --listen 127.0.0.1:9300 --data FOLDER`."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from simulators.ministry.rules import load_rules
from simulators.ministry.service import Handler, Ministry, Server
from simulators.ministry.store import Store


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m simulators.ministry", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:9300", help="host:port (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="folder of its store")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    user = os.environ.get("SIMULATOR_USER", "so48")
    password = os.environ.get("SIMULATOR_PASSWORD", "mo-phong")
    store = Store(options.data / "ministry.db")
    ministry = Ministry(store, load_rules(), user=user, password=password)
    Handler.ministry = ministry
    server = Server((host, int(port)), Handler)
    ministry.worker.start()

    def stop(_number: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    sys.stdout.write(f"MÔ PHỎNG CSDL ngành (simulator, not the ministry) at http://{options.listen}/\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.1)
    ministry.worker.stopping = True
    ministry.worker.bell.set()
    ministry.worker.join(timeout=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
