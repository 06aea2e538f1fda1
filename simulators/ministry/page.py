"""The page of the simulator: what it is, what it holds, which faults it is told to have."""

from collections.abc import Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>Mô phỏng CSDL ngành</title>
<style>body{{font:16px/1.5 system-ui;margin:0 auto;max-width:44rem;padding:0 1rem}}
header{{background:#b3261e;color:#fff;margin:0 -1rem;padding:.8rem 1rem;font-weight:600}}
table{{border-collapse:collapse}}td{{padding:.2rem 1rem .2rem 0}}</style></head><body>
<header>MÔ PHỎNG: đây không phải hệ thống của Bộ Giáo dục và Đào tạo. SIMULATOR: not the ministry's system.</header>
<h1>Mô phỏng cơ sở dữ liệu ngành</h1>
<p>Nhận gói tin như giao diện đã quan sát (GetAuthToken, TiepNhan, TiepNhanCompress, TrangThaiYeuCau;
hoặc sự kiện bản ghi: SuKien) để chạy thử.
Dữ liệu ở đây là dữ liệu thử.</p>
<table><tr><td>Bản ghi</td><td>{records}</td></tr><tr><td>Trường</td><td>{schools}</td></tr>
<tr><td>Gói tin</td><td>{packages}</td></tr></table>
<h2>Lỗi mô phỏng</h2><table>{faults}</table>
<p>Đổi bằng <code>PUT /mo-phong/loi</code>, ví dụ <code>{{"down": true}}</code>.</p></body></html>"""


def page(counts: Mapping[str, int], faults: Mapping[str, Any]) -> bytes:
    """The page as HTML."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in faults.items())
    return _PAGE.format(**counts, faults=rows).encode()
