"""What one school's software would send of school life beside people and classes: rooms, duties, rewards, health."""

import random
from collections.abc import Iterator, Sequence

from demo.province import PRESCHOOL, SEED, School
from demo.school import Pupil, Row, class_rows, envelope

REWARDED, CHECKED = 0.01, 0.03  # Shares of the pupils.


def life_rows(school: School, pupils: Sequence[Pupil], year: int, version: int) -> Iterator[Row]:
    """Yield rooms, the duty of each homeroom teacher, rewards and health checks of a few pupils."""
    classes = list(class_rows(school, year, version))
    for number, (name, count, area) in enumerate((("Phòng học", len(classes), 48), ("Phòng tin học", 1, 60)), 1):
        yield {
            **envelope("PHONG_HOC", school, year, version),
            "CO_SO_VAT_CHAT_ID": f"PH{number}",
            "TEN_PHONG": name,
            "SO_LUONG": count,
            "DIEN_TICH": area,
            "TONG_DIEN_TICH": count * area,
        }
    for group in classes:
        yield {
            **envelope("PHAN_CONG", school, year, version),
            "PHAN_CONG_ID": f"CN{group['MA']}",
            "GIAO_VIEN_ID": group["GIAO_VIEN_ID"],
            "NHIEM_VU": "CHU_NHIEM",
            "MA_LOP": group["MA"],
            "SO_TIET_TUAN": "4",
            "TY_LE_BIEN_CHE": "1",
        }
    for pupil in pupils:
        rng = random.Random(f"{SEED}:{pupil.key}:{year}:life")
        if rng.random() < REWARDED and school.level != PRESCHOOL:
            yield {
                **envelope("KHEN_THUONG_KY_LUAT", school, year, version),
                "QUYET_DINH_ID": f"KT{pupil.key}",
                "HOC_SINH_ID": pupil.key,
                "LOAI": "KHEN_THUONG",
                "CAP": "Trường",
                "NOI_DUNG": rng.choice(("Học sinh tiêu biểu", "Nhặt của rơi trả lại", "Giải hội khỏe Phù Đổng")),
                "NGAY": f"{rng.randint(1, 28):02d}/10/{year}",
            }
        if rng.random() < CHECKED:
            yield {
                **envelope("KHAM_SUC_KHOE", school, year, version),
                "HOC_SINH_ID": pupil.key,
                "NGAY": f"{rng.randint(10, 28):02d}/09/{year}",
                "CHIEU_CAO": str(rng.randint(95, 165)),
                "CAN_NANG": str(rng.randint(14, 52)),
            }
