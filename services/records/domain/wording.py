"""What staff call the things that programs name by a code, in Vietnamese."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.records.domain.data_requests import Kind
from services.records.domain.data_requests import State as DataRequestState
from services.records.domain.transfers import State as TransferState

COLLECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "profiles": "hồ sơ trường",
        "staff": "nhân sự",
        "classes": "lớp học",
        "pupils": "học sinh",
        "attendance": "điểm danh",
        "results": "kết quả học tập",
        "facilities": "cơ sở vật chất",
        "assignments": "phân công",
        "conduct-entries": "khen thưởng, kỷ luật",
        "health-checks": "khám sức khỏe",
        "retests": "thi lại",
        "graduations": "xét tốt nghiệp",
        "exam-candidates": "thí sinh tự do",
        "quality-reports": "báo cáo EQMS",
    }
)
REQUEST_KINDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {Kind.CORRECTION: "chỉnh sửa", Kind.OBJECTION: "phản đối xử lý", Kind.ERASURE: "xóa dữ liệu"}
)
REQUEST_STATES: Final[Mapping[DataRequestState, str]] = MappingProxyType(
    {
        DataRequestState.RECEIVED: "đã tiếp nhận",
        DataRequestState.GRANTED: "đã chấp thuận",
        DataRequestState.REFUSED: "đã từ chối",
        DataRequestState.DONE: "đã hoàn thành",
    }
)
TRANSFER_STATES: Final[Mapping[TransferState, str]] = MappingProxyType(
    {
        TransferState.OPENED: "đã mở",
        TransferState.ACCEPTED: "đã đồng ý tiếp nhận",
        TransferState.RELEASED: "đã bàn giao",
        TransferState.PLACED: "đã xếp lớp",
        TransferState.REFUSED: "đã từ chối",
        TransferState.WITHDRAWN: "đã rút",
    }
)
