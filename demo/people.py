"""Synthetic people: names, sexes, ethnic groups as the districts have them. Nobody here exists."""

import random
from dataclasses import dataclass

KINH, CO_TU, XO_DANG, GIE_TRIENG, MNONG, CO = "01", "26", "14", "27", "20", "30"

# Rough shares of the ethnic groups by district; districts not named are nearly all Kinh.
ETHNIC_MIX: dict[str, tuple[tuple[str, int], ...]] = {
    "504": ((CO_TU, 92), (KINH, 8)),
    "505": ((CO_TU, 74), (KINH, 26)),
    "510": ((CO_TU, 57), (GIE_TRIENG, 24), (KINH, 19)),
    "511": ((GIE_TRIENG, 62), (KINH, 36), (XO_DANG, 2)),
    "515": ((XO_DANG, 36), (KINH, 48), (CO, 10), (MNONG, 6)),
    "516": ((XO_DANG, 54), (MNONG, 40), (KINH, 4), (CO, 2)),
    "512": ((KINH, 89), (MNONG, 8), (XO_DANG, 3)),
}
MOSTLY_KINH = ((KINH, 99), (CO_TU, 1))

FAMILY = {
    KINH: (
        *("Nguyễn",) * 8,
        *("Trần", "Lê", "Phạm", "Huỳnh", "Phan", "Võ") * 2,
        *("Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý", "Đoàn", "Trương", "Mai", "Hứa", "Tăng", "Châu", "Thái"),
    ),
    CO_TU: ("Alăng", "Bling", "Zơrâm", "Pơloong", "Bríu", "Coor", "Arất", "Ating", "Bhnướch", "Hôih", "Tơngôl"),
    GIE_TRIENG: ("Hiên", "Kring", "Blúp", "Un", "Zơ Râm", "Chơ Rum", "A Viết", "Hồ"),
    XO_DANG: ("Hồ", "Nguyễn", "Đinh", "Trần"),
    MNONG: ("Hồ", "Nguyễn", "Đinh"),
    CO: ("Hồ", "Nguyễn", "Đinh"),
}
MIDDLE = {
    "1": ("Văn", "Đức", "Minh", "Quốc", "Hữu", "Gia", "Thanh", "Công", "Anh", "Nhật", "Xuân", "Hoàng"),
    "2": ("Thị", "Thị", "Ngọc", "Thanh", "Bảo", "Khánh", "Thu", "Phương", "Quỳnh", "Minh", "Kim", "Mỹ"),
}
GIVEN = {
    "1": (
        *("Anh", "Bảo", "Bình", "Cường", "Dũng", "Duy", "Đạt", "Hải", "Hiếu", "Hòa", "Hùng", "Huy", "Khang", "Khoa"),
        *(
            "Kiên",
            "Lâm",
            "Long",
            "Nam",
            "Nghĩa",
            "Nguyên",
            "Phong",
            "Phúc",
            "Quân",
            "Sơn",
            "Tài",
            "Thịnh",
            "Tuấn",
            "Việt",
        ),
    ),
    "2": (
        *("An", "Ánh", "Châu", "Chi", "Diệp", "Duyên", "Giang", "Hà", "Hân", "Hiền", "Hoa", "Hương", "Lan", "Linh"),
        *("Loan", "Mai", "My", "Nga", "Ngân", "Nhi", "Như", "Oanh", "Thảo", "Thủy", "Trang", "Trâm", "Uyên", "Vy"),
    ),
}


@dataclass(frozen=True)
class Person:
    """A made-up person. `sex` 1 male, 2 female; `ethnic_group` after QĐ 121-TCTK/PPCĐ; `personal_id` 12 digits."""

    name: str
    sex: str
    ethnic_group: str
    birth_date: str
    personal_id: str


def person(rng: random.Random, *, district: str, birth_year: int, serial: int | None = None) -> Person:
    """Return a person of a district, born in a year; the id number agrees with sex and year of birth.

    `serial` makes it one of its own among those born in that year; without it, it is drawn.
    """
    sex = "1" if rng.random() < 0.52 else "2"
    mix = ETHNIC_MIX.get(district, MOSTLY_KINH)
    ethnic = rng.choices([group for group, _ in mix], weights=[weight for _, weight in mix])[0]
    name = f"{rng.choice(FAMILY[ethnic])} {rng.choice(MIDDLE[sex])} {rng.choice(GIVEN[sex])}"
    birth = f"{birth_year:04d}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    century = (0 if birth_year < 2000 else 2) + (0 if sex == "1" else 1)
    drawn = rng.randrange(10**6)
    number = f"049{century}{birth_year % 100:02d}{drawn if serial is None else serial % 10**6:06d}"
    return Person(name=name, sex=sex, ethnic_group=ethnic, birth_date=birth, personal_id=number)
