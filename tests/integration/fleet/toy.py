"""A service that only starts, answers health and stops: for what the fleet does with any service.

`toy_*` settings make it fail where a test wants it to.
"""

import asyncio
import os
import signal
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer


async def serve() -> None:
    """Serve health until told to stop."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicer = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(os.environ["IOCEDU_LISTEN"])
    await server.start()
    if os.environ.get("IOCEDU_TOY_WAITING") == "1":
        await asyncio.Event().wait()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    Path(os.environ["IOCEDU_READY_FILE"]).write_text(os.environ["IOCEDU_LISTEN"], "ascii")  # noqa: ASYNC240
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if os.environ.get("IOCEDU_TOY_DEAF") == "1":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    await stop.wait()
    await server.stop(0.1)


if __name__ == "__main__":
    if os.environ.get("IOCEDU_TOY_BROKEN") == "1":
        raise SystemExit("the toy is broken")
    asyncio.run(serve())
