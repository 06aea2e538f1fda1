"""The calls of the simulator over HTTP: tokens, catalogues, packages, events, searches, comparison; and for faults.

Every answer carries the header `X-Simulator`. Refuses a call without a token of the school and level it is about.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from simulators.ministry import events, packages
from simulators.ministry.faults import FaultBox
from simulators.ministry.page import page
from simulators.ministry.rules import Rules
from simulators.ministry.store import Store
from simulators.ministry.working import Worker

TOKEN_SECONDS = 3600.0
MOST_BODY = 8_000_000
MOST_ROWS = 5000
Answer = tuple[int, dict[str, Any]]


class NoAnswerError(Exception):
    """The connection is to break without an answer."""


@dataclass(frozen=True)
class Grant:
    """What a token is for."""

    unit: str
    level: str
    until: float


class Ministry:
    """The simulator behind its HTTP face."""

    def __init__(self, store: Store, rules: Rules, *, user: str, password: str) -> None:
        self.store, self.rules, self.faults = store, rules, FaultBox()
        self.worker = Worker(store, rules, self.faults)
        self._account = (user, password)
        self._tokens: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def token(self, asked: dict[str, Any]) -> Answer:
        """`GetAuthToken`: a token for one unit and level."""
        missing = [name for name in ("CapDonVi", "MaDonVi", "CapHoc", "TenDangNhap", "MatKhau") if not asked.get(name)]
        if missing:
            code = "THIEU_MAT_KHAU" if missing == ["MatKhau"] else "THIEU_THAM_SO"
            said = "Thiếu mật khẩu kết chuyển." if code == "THIEU_MAT_KHAU" else f"Thiếu {', '.join(missing)}."
            return 400, {"MaLoi": code, "ThongBao": said}
        if (asked["TenDangNhap"], asked["MatKhau"]) != self._account:
            return 401, {"MaLoi": "SAI_TAI_KHOAN", "ThongBao": "Tài khoản kết chuyển không chính xác."}
        token, now = secrets.token_urlsafe(24), time.time()
        with self._lock:
            if len(self._tokens) > 10_000:
                self._tokens = {key: one for key, one in self._tokens.items() if one.until > now}
            self._tokens[token] = Grant(str(asked["MaDonVi"]), str(asked["CapHoc"]), now + TOKEN_SECONDS)
        return 200, {"Token": token, "HetHanSauGiay": int(TOKEN_SECONDS)}

    def granted(self, token: str) -> Grant | None:
        """What a token is for; None: it is no good."""
        with self._lock:
            grant = self._tokens.get(token)
        return grant if grant and grant.until > time.time() else None

    def take(self, grant: Grant, body: bytes) -> Answer:
        """`TiepNhan`: keep a package; it is worked on afterwards."""
        try:
            package = packages.read(body)
        except packages.PackageError as error:
            return 400, {"MaLoi": "GOI_TIN", "ThongBao": str(error)}
        if problem := _foreign(package, grant):
            return problem
        try:
            state = self.store.take(package.request_id, body)
        except ValueError as error:
            return 409, {"MaLoi": "TRUNG_MA_YEU_CAU", "ThongBao": str(error)}
        self.worker.bell.set()
        self._after_taking()
        return 200, {"MaYeuCau": package.request_id, **self._state(state)}

    def take_events(self, grant: Grant, body: bytes) -> Answer:
        """`SuKien`: judge events and write those that may be, before the answer leaves."""
        try:
            sent = packages.read_events(body)
        except packages.PackageError as error:
            return 400, {"MaLoi": "GOI_TIN", "ThongBao": str(error)}
        if problem := _foreign(sent, grant):
            return problem
        with self.store.writing() as writes:
            told = [events.settle(writes, sent, one, self.rules, self.faults.now) for one in sent.records]
        self._after_taking()
        return 200, {"KetQua": told}

    def _after_taking(self) -> None:
        time.sleep(self.faults.now.answer_seconds)
        if self.faults.hits(self.faults.now.lose_answer_share):
            raise NoAnswerError

    def request(self, request_id: str) -> Answer:
        """`TrangThaiYeuCau`: how far a package is, and what became of its records once it is done."""
        found = self.store.rows("SELECT state, outcome FROM package WHERE request_id = ?", request_id)
        if not found:
            return 404, {"MaLoi": "KHONG_CO_YEU_CAU", "ThongBao": "Không có yêu cầu này."}
        return 200, {
            "MaYeuCau": request_id,
            **self._state(found[0]["state"]),
            "KetQua": json.loads(found[0]["outcome"]),
        }

    def _state(self, state: int) -> dict[str, Any]:
        return {"TrangThai": state, "TenTrangThai": self.rules.states[state]}

    def catalogue(self, name: str) -> Answer:
        """`GET_DM_*`."""
        codes = self.rules.catalogues.get(name)
        if codes is None:
            return 404, {"MaLoi": "KHONG_CO_DANH_MUC", "ThongBao": "Không có danh mục này."}
        return 200, {"DanhMuc": [{"MA": code, "TEN": label} for code, label in codes.items()]}

    def search(self, kind: str, query: dict[str, str], grant: Grant) -> Answer:
        """`TimKiemHocSinh`, `TimKiemGiaoVien`, `GET_DM_LOP`, `GET_DM_TRUONG`: what the token's school has."""
        rows = self.store.rows(
            "SELECT id, version, content FROM record WHERE school = ? AND object = ? AND cancelled = 0"
            " AND id > ? ORDER BY id LIMIT ?",
            *(grant.unit, kind, query.get("sau", ""), MOST_ROWS),
        )
        return 200, {
            "BanGhi": [
                {"IdBanGhi": row["id"], "PhienBan": row["version"], **json.loads(row["content"])} for row in rows
            ]
        }

    def summary(self, query: dict[str, str]) -> Answer:
        """Digests of each school and object, a page at a time: for comparing."""
        after = query.get("sau", "").partition("/")
        rows = self.store.rows(
            "SELECT school, object, count, digest FROM record_group WHERE (school, object) > (?, ?)"
            " ORDER BY school, object LIMIT ?",
            *(after[0], after[2], MOST_ROWS),
        )
        told = [
            {"MaTruong": row["school"], "DoiTuong": row["object"], "SoBanGhi": row["count"], "MaBam": row["digest"]}
            for row in rows
        ]
        last = f"{rows[-1]['school']}/{rows[-1]['object']}" if len(rows) == MOST_ROWS else ""
        return 200, {"Nhom": told, "Sau": last}

    def compared(self, query: dict[str, str]) -> Answer:
        """Id, version and digest of each record of a school and object."""
        rows = self.store.rows(
            "SELECT id, version, digest FROM record WHERE school = ? AND object = ? AND cancelled = 0 ORDER BY id",
            *(query.get("ma_truong", ""), query.get("doi_tuong", "")),
        )
        return 200, {
            "BanGhi": [{"IdBanGhi": r["id"], "PhienBan": r["version"], "MaBam": str(r["digest"])} for r in rows]
        }

    def contents(self, ids: list[str]) -> Answer:
        """What is held of some records."""
        wanted = ids[:MOST_ROWS]
        marks = ",".join("?" * len(wanted))
        rows = self.store.rows(f"SELECT id, content FROM record WHERE id IN ({marks})", *wanted)  # noqa: S608  marks
        return 200, {"BanGhi": [{"IdBanGhi": row["id"], "NoiDung": json.loads(row["content"])} for row in rows]}

    def counts(self) -> dict[str, int]:
        """How much there is, for its page."""
        ((records, schools, packages_taken),) = self.store.rows(
            "SELECT (SELECT count(*) FROM record WHERE cancelled = 0), (SELECT count(DISTINCT school) FROM record),"
            " (SELECT count(*) FROM package)"
        )
        return {"records": records, "schools": schools, "packages": packages_taken}


SEARCHES = {
    "TimKiemHocSinh": "HOC_SINH",
    "TimKiemGiaoVien": "GIAO_VIEN",
    "GET_DM_LOP": "LOP",
    "GET_DM_TRUONG": "TRUONG",
}


class Handler(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"
    server_version = "ministry-simulator"
    ministry: ClassVar[Ministry]

    def do_GET(self) -> None:
        """Questions."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Tokens and packages."""
        self._answer(self._post)

    def do_PUT(self) -> None:
        """Faults."""
        self._answer(self._put)

    def _get(self, path: str, query: dict[str, str]) -> Answer:
        if path == "mo-phong/loi":
            return 200, self.ministry.faults.shown()
        if path == "mo-phong/song":
            return 200, {"simulator": True, **self.ministry.counts()}
        self._disturb()
        grant = self.ministry.granted(self.headers.get("Token", ""))
        if grant is None:
            return _unauthorised()
        if path == "api/TrangThaiYeuCau":
            return self.ministry.request(query.get("ma_yeu_cau", ""))
        if path == "api/DoiSoat/TomTat":
            return self.ministry.summary(query)
        if path == "api/DoiSoat/BanGhi":
            return self.ministry.compared(query)
        name = path.removeprefix("api/")
        if name in SEARCHES:
            return self.ministry.search(SEARCHES[name], query, grant)
        return self.ministry.catalogue(name)

    def _post(self, path: str, _query: dict[str, str]) -> Answer:
        body = self._body()
        self._disturb()
        if path == "api/GetAuthToken":
            return self.ministry.token(_json(body))
        grant = self.ministry.granted(self.headers.get("Token", ""))
        if grant is None:
            return _unauthorised()
        if path == "api/TiepNhan":
            return self.ministry.take(grant, body)
        if path == "api/SuKien":
            return self.ministry.take_events(grant, body)
        if path == "api/TiepNhanCompress":
            try:
                return self.ministry.take(grant, packages.unpacked(body))
            except packages.PackageError as error:
                return 400, {"MaLoi": "GOI_TIN", "ThongBao": str(error)}
        if path == "api/DoiSoat/NoiDung":
            return self.ministry.contents([str(one) for one in _json(body).get("IdBanGhi", [])])
        return 404, {"MaLoi": "KHONG_CO", "ThongBao": "Không có chức năng này."}

    def _put(self, path: str, _query: dict[str, str]) -> Answer:
        if path != "mo-phong/loi":
            return 404, {"MaLoi": "KHONG_CO", "ThongBao": "Không có chức năng này."}
        try:
            self.ministry.faults.change(_json(self._body()))
        except ValueError as error:
            return 400, {"MaLoi": "LOI_MO_PHONG", "ThongBao": str(error)}
        return 200, self.ministry.faults.shown()

    def _disturb(self) -> None:
        """Let the faults of the moment strike."""
        faults = self.ministry.faults
        faults.wait()
        if faults.now.down:
            raise _FaultError(503)
        if faults.hits(faults.now.fail_share):
            raise _FaultError(500)

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BODY:
            self.close_connection = True
            raise _FaultError(413)
        return self.rfile.read(length)

    def _answer(self, work: Callable[[str, dict[str, str]], Answer]) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/":
            return self._send(200, page(self.ministry.counts(), self.ministry.faults.shown()), "text/html")
        query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        try:
            status, said = work(asked.path.strip("/"), query)
        except NoAnswerError:
            self.close_connection = True
            return None
        except _FaultError as fault:
            status, said = fault.status, {"MaLoi": f"HTTP_{fault.status}", "ThongBao": "Hệ thống tạm thời gặp lỗi."}
        except ValueError as error:
            status, said = 400, {"MaLoi": "YEU_CAU", "ThongBao": f"Yêu cầu không đọc được: {error}"}
        return self._send(status, json.dumps(said, ensure_ascii=False).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Simulator", "ministry; not the ministry of education and training")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Say nothing of calls that are as they should be."""


class Server(ThreadingHTTPServer):
    """Serves until told to stop."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


class _FaultError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _foreign(sent: packages.Origin, grant: Grant) -> Answer | None:
    """The refusal of what is of another school or level than the token."""
    if (sent.school, sent.level) == (grant.unit, grant.level):
        return None
    said = f"Mã truy cập thuộc {grant.unit} cấp {grant.level}, gói tin thuộc {sent.school} {sent.level}."
    return 403, {"MaLoi": "SAI_DON_VI", "ThongBao": said}


def _unauthorised() -> Answer:
    return 401, {"MaLoi": "HET_HAN_TOKEN", "ThongBao": "Thiếu mã truy cập hoặc mã đã hết hạn: gọi GetAuthToken."}


def _json(body: bytes) -> dict[str, Any]:
    said = json.loads(body or b"{}")
    if not isinstance(said, dict):
        raise ValueError("cần một đối tượng JSON")  # noqa: TRY004  all that is wrong with a body is one error here
    return said
