"""What can stand in the way of an operation on units: a stable reason, the field, and a remedy for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.records.domain.spans import Span
from services.records.domain.timelines import nearest
from services.records.domain.units import Unit

NAMED = 5  # as many units are named; of the rest it is said how many there are


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an operation cannot be done as asked."""

    reason: str
    field: str
    vi: str
    en: str
    metadata: Mapping[str, str]


def title(unit: Unit, day: date) -> str:
    """How people know a unit on a day, or nearest to it: its name, with a code where it has one."""
    name, code = nearest(unit.names, day), nearest(unit.codes, day)
    return f"{name.name if name else unit.unit_id} ({code.alias if code else unit.unit_id})"


def unknown_unit(path: str, ref: str) -> Obstacle:
    """No unit has this alias or id."""
    return Obstacle(
        "UNKNOWN_UNIT",
        path,
        vi=f"Không có đơn vị nào mang mã «{ref}». Hãy kiểm tra lại mã, ví dụ moet:… hoặc gso:….",
        en=f"There is no unit {ref}. Check the code, for example moet:… or gso:….",
        metadata={"unit": ref},
    )


def unit_ended(path: str, unit: Unit, day: date, *, successors: Sequence[Unit]) -> Obstacle:
    """The unit has an end already, on the day or, for what would end it, on any."""
    vi, en = how_it_ended(unit, day, successors=successors)
    return Obstacle(
        "UNIT_ENDED",
        path,
        vi=f"{vi}. Hãy chọn đơn vị tiếp nối hoặc một ngày hiệu lực trước đó.",
        en=f"{en}. Name the unit that goes on, or an earlier effective date.",
        metadata={"unit": str(unit.unit_id), "valid_to": unit.span.end.isoformat()},
    )


def how_it_ended(unit: Unit, day: date, *, successors: Sequence[Unit]) -> tuple[str, str]:
    """Since when a unit is no more and what goes on in its place, without the full stop: in Vietnamese, in English."""
    end = unit.span.end
    vi = f"Đơn vị {title(unit, end)} đã kết thúc từ ngày {_vi(end)}"
    en = f"The unit {title(unit, end)} has its end on {end}"
    if successors:
        named = ", ".join(title(one, day) for one in successors)
        vi, en = f"{vi}, tiếp nối bởi {named}", f"{en} and goes on in {named}"
    return vi, en


def before_unit(path: str, unit: Unit) -> Obstacle:
    """The unit does not live yet on the day, or only begins on it."""
    begin = unit.span.start
    return Obstacle(
        "BEFORE_UNIT",
        path,
        vi=f"Đơn vị {title(unit, begin)} chỉ tồn tại từ ngày {_vi(begin)}. Hãy chọn ngày hiệu lực sau đó.",
        en=f"The unit {title(unit, begin)} lives only from {begin} on. Choose a later effective date.",
        metadata={"unit": str(unit.unit_id), "valid_from": begin.isoformat()},
    )


def code_taken(path: str, alias: str, holder: Unit, held: Span) -> Obstacle:
    """Another unit bears the code on some of the days."""
    vi_days = f"từ {_vi(held.first)} " if held.first else ""
    vi_days += f"đến trước {_vi(held.after)}" if held.after else "đến nay chưa hết hạn"
    en_days = f"from {held.first or 'the beginning'} {f'until {held.after}' if held.after else 'on'}"
    return Obstacle(
        "CODE_TAKEN",
        path,
        vi=f"Mã «{alias}» đang thuộc về {title(holder, held.start)} {vi_days}. Hãy dùng mã khác, đổi mã của đơn vị đó "
        "trước, hoặc chọn ngày hiệu lực khác.",
        en=f"The code {alias} belongs to {title(holder, held.start)}, {en_days}. Use another code, re-code that unit "
        "first, or choose another effective date.",
        metadata={
            "code": alias,
            "unit": str(holder.unit_id),
            "valid_from": str(held.first or ""),
            "valid_to": str(held.after or ""),
        },
    )


def has_children(path: str, unit: Unit, children: Sequence[Unit], day: date) -> Obstacle:
    """Units would be left without their parent."""
    named = "; ".join(title(child, day) for child in children[:NAMED])
    more = len(children) - NAMED
    vi_more, en_more = (f" và {more} đơn vị khác", f" and {more} more") if more > 0 else ("", "")
    return Obstacle(
        "UNIT_HAS_CHILDREN",
        path,
        vi=f"Còn {len(children)} đơn vị trực thuộc {title(unit, day)} từ ngày {_vi(day)}: {named}{vi_more}. Hãy "
        "chuyển chúng trước hoặc nêu đơn vị tiếp nhận ở `children_to`.",
        en=f"{len(children)} units are below {title(unit, day)} from {day} on: {named}{en_more}. Move them first or "
        "name in `children_to` who takes them.",
        metadata={
            "unit": str(unit.unit_id),
            "count": str(len(children)),
            "children": ",".join(str(child.unit_id) for child in children[:NAMED]),
        },
    )


def parent_not_alive(path: str, unit: Unit, parent: Unit, days: Span) -> Obstacle:
    """The parent does not live on all days of the edge."""
    life = parent.span
    vi_life = f"từ {_vi(life.first)} " if life.first else ""
    vi_life += f"đến trước {_vi(life.after)}" if life.after else ""
    en_life = f"from {life.first} " if life.first else ""
    en_life += f"until {life.after}" if life.after else ""
    return Obstacle(
        "PARENT_NOT_ALIVE",
        path,
        vi=f"Đơn vị cấp trên {title(parent, days.start)} chỉ tồn tại {vi_life.strip()}, không đủ cho thời gian "
        f"{title(unit, days.start)} trực thuộc. Hãy chọn đơn vị cấp trên khác hoặc ngày khác.",
        en=f"The parent {title(parent, days.start)} lives only {en_life.strip()}, not on all days that "
        f"{title(unit, days.start)} would be below it. Choose another parent or another day.",
        metadata={"unit": str(unit.unit_id), "parent": str(parent.unit_id)},
    )


def own_ancestor(path: str, unit: Unit, day: date) -> Obstacle:
    """The unit would come to lie below itself."""
    return Obstacle(
        "OWN_ANCESTOR",
        path,
        vi=f"Đơn vị {title(unit, day)} sẽ trở thành cấp trên của chính mình. Hãy chọn đơn vị không nằm dưới nó.",
        en=f"The unit {title(unit, day)} would be its own ancestor. Choose a unit that is not below it.",
        metadata={"unit": str(unit.unit_id)},
    )


def later_changes(path: str, unit: Unit, later: date, day: date) -> Obstacle:
    """The unit is to end before something that is recorded of it."""
    return Obstacle(
        "LATER_CHANGES",
        path,
        vi=f"Đơn vị {title(unit, day)} có thay đổi đã ghi nhận từ ngày {_vi(later)}, nên không thể kết thúc ngày "
        f"{_vi(day)}. Hãy chọn ngày hiệu lực sau thay đổi đó.",
        en=f"The unit {title(unit, day)} has a change recorded on {later}, so it cannot end on {day}. Choose an "
        "effective date after that change.",
        metadata={"unit": str(unit.unit_id), "later": later.isoformat()},
    )


def nothing_changes(path: str, unit: Unit, day: date) -> Obstacle:
    """The unit is already as asked."""
    return Obstacle(
        "NOTHING_CHANGES",
        path,
        vi=f"Đơn vị {title(unit, day)} đã đúng như yêu cầu vào ngày {_vi(day)}; không có gì để thay đổi.",
        en=f"The unit {title(unit, day)} is already as asked on {day}; there is nothing to change.",
        metadata={"unit": str(unit.unit_id)},
    )


def without_parent(path: str, unit: Unit, day: date) -> Obstacle:
    """The unit would have no administrative parent on some of its days."""
    return Obstacle(
        "UNIT_WITHOUT_PARENT",
        path,
        vi=f"Đơn vị {title(unit, day)} có ngày không trực thuộc đơn vị hành chính nào. Hãy nêu đơn vị cấp trên.",
        en=f"The unit {title(unit, day)} has no administrative parent on some of its days. Name its parent.",
        metadata={"unit": str(unit.unit_id)},
    )


def same_unit(path: str, unit: Unit, day: date) -> Obstacle:
    """One unit is named in two parts of the operation that exclude each other."""
    return Obstacle(
        "SAME_UNIT",
        path,
        vi=f"Đơn vị {title(unit, day)} được nêu hai lần trong cùng một thao tác. Hãy bỏ một lần.",
        en=f"The unit {title(unit, day)} is named twice in one operation. Leave one out.",
        metadata={"unit": str(unit.unit_id)},
    )


def not_a_child(path: str, unit: Unit, parent: Unit, day: date) -> Obstacle:
    """The unit named as a child lies elsewhere."""
    return Obstacle(
        "NOT_A_CHILD",
        path,
        vi=f"Đơn vị {title(unit, day)} không trực thuộc {title(parent, day)} vào ngày {_vi(day)}. Hãy bỏ khỏi danh "
        "sách.",
        en=f"The unit {title(unit, day)} is not below {title(parent, day)} on {day}. Leave it out of the list.",
        metadata={"unit": str(unit.unit_id), "parent": str(parent.unit_id)},
    )


def _vi(day: date) -> str:
    """A day as it is written in Vietnamese."""
    return day.strftime("%d-%m-%Y")
