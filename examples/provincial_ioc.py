"""The provincial IOC's client: reads indicators over gRPC and follows changes, missing and doubling none.

    python -m examples.provincial_ioc --gateway 127.0.0.1:8080 --unit gso:48 --state ioc-position

reads the token from the environment variable TOKEN. The position is kept in a file, so that after an outage of either
side the client goes on where it stopped.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
from iocedu.records.v1 import records_pb2, records_pb2_grpc
from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc

PAGE = 1000
DEADLINE = 30.0


class ProvincialIoc:
    """Consumes what concerns one unit. `token` is asked before each call."""

    def __init__(self, gateway: str, token: Callable[[], str], *, unit: str) -> None:
        self._channel = grpc.insecure_channel(gateway, options=[("grpc.max_receive_message_length", 16 << 20)])
        self._reporting = reporting_pb2_grpc.ReportingServiceStub(self._channel)
        self._records = records_pb2_grpc.RecordsServiceStub(self._channel)
        self._token = token
        self._unit = unit

    def indicators(self, *codes: str) -> dict[str, reporting_pb2.Figure]:
        """Return the unit's figures by indicator code; a missing value means no data, not zero."""
        request = reporting_pb2.QueryIndicatorsRequest(unit=self._unit, indicators=codes)
        answer = self._reporting.QueryIndicators(request, metadata=self._metadata(), timeout=DEADLINE)
        return {figure.indicator: figure for figure in answer.figures}

    def changes(self, after: int) -> Iterator[tuple[int, list[records_pb2.Change]]]:
        """Yield pages of changes after a position, each with the position to keep once the page is stored."""
        while True:
            request = records_pb2.ListChangesRequest(unit=self._unit, after=after, page_size=PAGE)
            page = self._records.ListChanges(request, metadata=self._metadata(), timeout=DEADLINE)
            after = page.position
            if page.changes:
                yield after, list(page.changes)
            if page.caught_up:
                return

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token()}"),)


def main() -> int:
    """Print the indicators, then catch up with the changes and keep the position."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", default=f"127.0.0.1:{os.environ.get('IOCEDU_PORT', '8080')}")
    parser.add_argument("--unit", default="gso:48")
    parser.add_argument("--state", type=Path, default=Path("ioc-position"), help="file the position is kept in")
    options = parser.parse_args()
    token = os.environ.get("TOKEN", "")
    if not token:
        print("TOKEN is not set: export a token of the role provincial_ioc on the unit", file=sys.stderr)
        return 2
    ioc = ProvincialIoc(options.gateway, lambda: token, unit=options.unit)
    try:
        for code, figure in sorted(ioc.indicators().items()):
            value = f"{figure.value:,.2f}" if figure.HasField("value") else "no data"
            print(f"{code:28} {value:>14}   {figure.reporting_school_count} of {figure.expected_school_count} schools")
        position = int(options.state.read_text()) if options.state.exists() else 0
        received = 0
        for reached, changes in ioc.changes(position):
            received += len(changes)
            position = reached
            options.state.write_text(str(position))
        print(f"{received} changes, now at position {position}")
    except grpc.RpcError as error:
        print(f"{error.code().name}: {error.details()}", file=sys.stderr)
        return 1
    finally:
        ioc.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
