"""A file's name travels in a header, whatever stands in it."""

import pytest

from chassis.files import disposition


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("mau-pupils-2026.xlsx", 'attachment; filename="mau-pupils-2026.xlsx"'),
        ("mẫu.xlsx", "attachment; filename=\"m_u.xlsx\"; filename*=UTF-8''m%E1%BA%ABu.xlsx"),
        ('a"; x="\r\nb', "attachment; filename=\"a_; x=___b\"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0Ab"),
    ],
)
def test_a_name_is_one_header_in_ascii_and_is_kept_whole_beside_it(name: str, header: str) -> None:
    """Nothing in it ends the quotes or the line."""
    assert disposition(name) == header
