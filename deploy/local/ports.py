"""Free ports on the loopback interface, and whether one is taken. Refuses to guess: a port is bound to find out."""

import errno
import random
import socket

from deploy.local.errors import NotStarted

LOOPBACK = "127.0.0.1"
# Below the range the kernel takes the near ends of connections from: else a service that restarts could find its port
# held by a neighbour's outgoing connection.
FREE_RANGE = range(20000, 32000)
# Each is tried once in a process: a port given out stays free until its user binds it, and must not be given out again.
_untried = iter(random.sample(FREE_RANGE, len(FREE_RANGE)))


def free_port() -> int:
    """A port nobody listens on now; another process may take it before its user does, which then fails to bind."""
    for port in _untried:
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise NotStarted(f"no free port between {FREE_RANGE.start} and {FREE_RANGE.stop} on {LOOPBACK}")


def check_port(port: int, *, setting: str) -> None:
    """Raise NotStarted when `port` cannot be bound; `setting` names what to change."""
    with socket.socket() as probe:
        # As servers do: connections of a fleet that has just stopped must not look like a port in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"port {port} on {LOOPBACK} is in use"
            else:
                reason = f"port {port} on {LOOPBACK} cannot be used ({error.strerror})"
            raise NotStarted(f"{reason}: stop what listens there, or choose another with {setting}=<port>") from error
