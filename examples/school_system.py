"""A school system's push client: sends the ministry's rows as NDJSON, repeats safely, explains refusals.

    python -m examples.school_system --gateway 127.0.0.1:8080 --unit moet:49506001 --source vnedu rows.ndjson

reads the token from the environment variable TOKEN. Each line is one row, as `services/sync/profiles/README.md` shows.
"""

import argparse
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ATTEMPTS = 6
RETRIED = frozenset({429, 502, 503, 504})


class PushRefusedError(Exception):
    """The centre refused a whole batch; `reason` is stable, the message is for people."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        details = {detail.get("@type", "").rsplit(".", 1)[-1]: detail for detail in body.get("details", [])}
        self.reason = details.get("ErrorInfo", {}).get("reason", "")
        self.status = status
        super().__init__(details.get("LocalizedMessage", {}).get("message") or body.get("message") or f"HTTP {status}")


@dataclass(frozen=True)
class Problem:
    """One row that was not stored: its number from 0, its key, a stable reason, the field and what to do."""

    index: int
    key: str
    reason: str
    field: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What became of a batch, in rows."""

    accepted: int
    unchanged: int
    stale: int
    rejected: int
    held: int
    problems: tuple[Problem, ...]


class SchoolSystem:
    """Pushes for the schools of one vendor. `token` is asked for a fresh token before each attempt."""

    def __init__(self, gateway: str, token: Callable[[], str], *, source: str, profile: str = "moet") -> None:
        self._http = httpx.Client(base_url=f"http://{gateway}", timeout=120)
        self._token = token
        self._source = source
        self._profile = profile

    def push(
        self, unit: str, rows: Iterable[Mapping[str, Any]], *, batch_id: str = "", backfill: bool = False
    ) -> Outcome:
        """Push rows as one batch and return what became of them, as `push_document` does."""
        content = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        return self.push_document(unit, content, batch_id=batch_id, backfill=backfill)

    def push_document(self, unit: str, content: bytes, *, batch_id: str = "", backfill: bool = False) -> Outcome:
        """Push NDJSON as it is; a line that is no JSON is explained by the centre and stops no other.

        A cut connection or a busy centre is waited for and the same batch sent again: its id makes that harmless.
        Raises `PushRefusedError` when the batch as a whole is refused.
        """
        query = {"profile": self._profile, "batch.source": self._source, "batch.backfill": str(backfill).lower()}
        # Of all that makes it this batch: the same rows read by another profile are another one.
        made = hashlib.sha256(json.dumps(query, sort_keys=True).encode() + content).hexdigest()[:32]
        query["batch.batch_id"] = batch_id or made
        return _outcome(self._post(f"/v1/units/{unit}/push", query, content))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, path: str, query: dict[str, str], content: bytes) -> dict[str, Any]:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                answer = self._http.post(
                    path,
                    params=query,
                    content=content,
                    headers={"content-type": "application/x-ndjson", "authorization": f"Bearer {self._token()}"},
                )
            except httpx.TransportError:
                if last:
                    raise
            else:
                if answer.status_code == httpx.codes.OK:
                    body: dict[str, Any] = answer.json()
                    return body
                if last or answer.status_code not in RETRIED:
                    raise PushRefusedError(answer.status_code, _json(answer))
            time.sleep(min(20.0, 0.25 * 2**attempt) * random.uniform(0.5, 1.5))  # noqa: S311  jitter, not a secret
        raise AssertionError("the last attempt returns or raises")


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        return {"message": answer.text[:200]}
    return body


def _outcome(body: Mapping[str, Any]) -> Outcome:
    outcome = body.get("outcome", {})
    return Outcome(
        accepted=outcome.get("accepted_count", 0),
        unchanged=outcome.get("unchanged_count", 0),
        stale=outcome.get("stale_count", 0),
        rejected=outcome.get("rejected_count", 0),
        held=outcome.get("held_count", 0),
        problems=tuple(
            Problem(
                index=problem.get("index", 0),
                key=problem.get("key", ""),
                reason=problem.get("reason", ""),
                field=problem.get("field", ""),
                message=problem.get("message", ""),
            )
            for problem in outcome.get("problems", [])
        ),
    )


def _document(file: Path) -> bytes:
    """The file as it is; OSError or ValueError say in words why it cannot be sent."""
    content = file.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8: save the file as UTF-8") from error
    if not content.strip():
        raise ValueError("holds no rows")
    return content


def main() -> int:
    """Push one file; exit status 1 when rows were not stored, 2 when nothing was sent or the batch was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="NDJSON, a row a line")
    parser.add_argument("--gateway", default=f"127.0.0.1:{os.environ.get('IOCEDU_PORT', '8080')}")
    parser.add_argument("--unit", required=True, help="the school, for example moet:49506001")
    parser.add_argument("--source", required=True, help="code of the sending system")
    parser.add_argument("--profile", default="moet", help="names of the fields: moet or iocedu")
    options = parser.parse_args()
    token = os.environ.get("TOKEN", "")
    if not token:
        print("TOKEN is not set: export a token of a role that may push, for example integrator", file=sys.stderr)
        return 2
    try:
        content = _document(options.file)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        print(f"{options.file}: {said}", file=sys.stderr)
        return 2
    system = SchoolSystem(options.gateway, lambda: token, source=options.source, profile=options.profile)
    try:
        outcome = system.push_document(options.unit, content)
    except PushRefusedError as refusal:
        print(f"{refusal.reason}: {refusal}", file=sys.stderr)
        return 2
    except httpx.TransportError as error:
        print(f"{options.gateway} does not answer ({error}); name another with --gateway", file=sys.stderr)
        return 2
    finally:
        system.close()
    print(f"{outcome.accepted} accepted, {outcome.unchanged} unchanged, {outcome.stale} stale, ", end="")
    print(f"{outcome.rejected} rejected, {outcome.held} held")
    for problem in outcome.problems:
        print(f"  {problem.key} {problem.reason} {problem.field}: {problem.message}")
    return 1 if outcome.rejected or outcome.held else 0


if __name__ == "__main__":
    sys.exit(main())
