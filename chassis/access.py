"""Who may call a method: the rule is read from the method's access option, the grants from the scopes tree.

Deny by default: a method without the option cannot be called.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from iocedu.chassis.v1 import access_pb2

from chassis.errors import Fault, Kind
from chassis.identity import Caller, caller
from chassis.scope_tree import EVERY_UNIT, ScopeTree

NamedUnits = Callable[[Message], list[str]]
ShownKinds = Callable[[Message], frozenset[str]]
Narrowed = Mapping[int, frozenset[str] | None]  # Kinds that a subject's grants are for, by unit; None: for all kinds.


@dataclass(frozen=True)
class Rule:
    """The access option of one method."""

    method: str  # `package.Service/Method`
    roles: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    any_subject: bool = False
    self_signed: bool = False
    unit_field: str = ""
    named_units: NamedUnits | None = None  # Reads the unit references from a request.
    reveals_personal_data: bool = False
    every_unit: bool = False
    shown_kinds: ShownKinds | None = None  # Reads the kinds of things from a request that its answer shows.
    shown_field: str = ""

    def takes_any(self, caller: Caller) -> bool:
        """Whether such a caller passes whatever it holds."""
        return self.any_subject and (caller.roles is None or self.self_signed)


def rule_of(method: str) -> Rule | None:
    """The rule of `/package.Service/Method`; None when it has none, and so cannot be called."""
    service_name, _, name = method.strip("/").rpartition("/")
    try:
        service = descriptor_pool.Default().FindServiceByName(service_name)
        descriptor = service.methods_by_name[name]
    except KeyError:
        return None
    options = descriptor.GetOptions()
    if not options.HasExtension(access_pb2.access):
        return None
    option = options.Extensions[access_pb2.access]
    return Rule(
        method=f"{service_name}/{name}",
        roles=frozenset(option.roles),
        services=frozenset(option.services),
        any_subject=option.any_subject,
        self_signed=option.self_signed,
        unit_field=option.unit_field,
        named_units=_reader(descriptor.input_type, option.unit_field) if option.unit_field else None,
        reveals_personal_data=option.reveals_personal_data,
        every_unit=option.every_unit,
        shown_kinds=_kinds_reader(descriptor.input_type, option.shown_field, frozenset(option.shows)),
        shown_field=option.shown_field,
    )


def decide(
    rule: Rule | None,
    caller: Caller,
    request: Message,
    *,
    tree: Callable[[], ScopeTree],
    day: date,
    narrowed: Narrowed | None = None,
) -> None:
    """Let the call pass or raise NOT_ALLOWED, NO_GRANT or UNKNOWN_UNIT. The tree is asked for only where it matters.

    A caller that is `narrowed` passes only where its grants are for all kinds of things that the answer shows; a grant
    on a unit of which nothing is said there is for none.
    """
    if rule is None:
        raise _not_allowed()
    if rule.takes_any(caller) or (caller.service is not None and caller.service in rule.services):
        return
    if rule.any_subject:
        raise _not_for_self_signed(rule.method)
    if not rule.roles:
        raise _not_allowed(rule.method)
    roles = caller.among(rule.roles)
    forest = tree()
    held = forest.units_of(caller.subject, roles, day)
    if not held or (rule.every_unit and EVERY_UNIT not in held):
        ref = _first(rule, request)
        stranger = not forest.grants_of(caller.subject, day)
        raise _no_grant(rule, unit=ref, name="" if stranger else _name(forest, ref, day))
    refs = rule.named_units(request) or [str(EVERY_UNIT)] if rule.named_units else []
    if EVERY_UNIT not in held:
        # Who holds the role on every unit is not stopped by a unit that is not known here; the method says so itself.
        _check_units(rule, caller.subject, roles, refs, forest=forest, day=day)
    if narrowed is not None and rule.shown_kinds is not None:
        shown = rule.shown_kinds(request)
        for ref in refs:
            unit_id = forest.resolve(ref or str(EVERY_UNIT), day)
            missing = shown - _kinds_on(forest, caller.subject, roles, unit_id, narrowed, shown, day=day)
            if missing:
                raise _not_for(rule, missing, unit=ref, name=_name(forest, ref, day))


def _check_units(
    rule: Rule, subject: str, roles: frozenset[str], refs: list[str], *, forest: ScopeTree, day: date
) -> None:
    for ref in refs:
        unit_id = forest.resolve(ref or str(EVERY_UNIT), day)
        if unit_id is None:
            raise unknown_unit(ref)
        if not forest.may(subject, roles, unit_id, day):
            raise _no_grant(rule, unit=ref, name=_name(forest, ref, day))


def _kinds_on(
    forest: ScopeTree,
    subject: str,
    roles: frozenset[str],
    unit_id: int | None,
    narrowed: Narrowed,
    every: frozenset[str],
    *,
    day: date,
) -> frozenset[str]:
    """The kinds of things that the subject's grants on a unit or above it are for; `every` where one is for all."""
    found: frozenset[str] = frozenset()
    for grant in forest.grants_of(subject, day):
        reaching = (EVERY_UNIT, unit_id, *forest.above(unit_id or EVERY_UNIT, day, grant.edge_type))
        if grant.role in roles and grant.unit_id in reaching:
            kinds = narrowed.get(grant.unit_id, frozenset())
            found |= every if kinds is None else kinds
    return found


def caller_may(tree: ScopeTree, roles: Collection[str], unit_id: int, day: date) -> bool:
    """Whether the caller of the running request acts in one of the roles on the unit or above it: what it holds in a
    role that its token may not act in does not count. For unit 0: on every unit.
    """
    who = caller()
    return tree.may(who.subject, who.among(roles), unit_id, day)


def unknown_unit(ref: str) -> Fault:
    """What is said to a reference that names no unit today."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_UNIT",
        vi=f"Không tìm thấy đơn vị “{ref}”. Hãy kiểm tra lại mã đơn vị, ví dụ moet:… hoặc gso:….",
        en=f"There is no unit “{ref}”. Check the code, for example moet:… or gso:….",
        metadata={"unit": ref},
    )


def _reader(message: Descriptor, path: str) -> NamedUnits:
    """A function that reads the strings at a path of field names, through repeated fields too."""
    steps: list[tuple[str, bool]] = []
    names = path.split(".")
    for position, name in enumerate(names):
        field = message.fields_by_name[name]
        steps.append((name, field.is_repeated))
        if position < len(names) - 1:
            if field.message_type is None:
                raise TypeError(f"{path} leads through {name}, which holds no message")
            message = field.message_type
    if len(steps) == 1 and not steps[0][1]:
        only = steps[0][0]
        return lambda request: [str(getattr(request, only))]

    def read(request: Message) -> list[str]:
        values: list[object] = [request]
        for name, repeated in steps:
            values = [
                item for value in values for item in (getattr(value, name) if repeated else (getattr(value, name),))
            ]
        return [str(value) for value in values]

    return read


def _kinds_reader(message: Descriptor, name: str, always: frozenset[str]) -> ShownKinds | None:
    """A function that tells which kinds an answer shows; None: the method does not say."""
    if not name:
        return (lambda _: always) if always else None
    field = message.fields_by_name[name]
    enum = field.enum_type
    if enum is None:
        return lambda request: frozenset({str(getattr(request, name))})
    kinds = {one.number: str(one.GetOptions().Extensions[access_pb2.kind]) for one in enum.values}
    every = frozenset(kinds.values()) - {""}

    def read(request: Message) -> frozenset[str]:
        value = getattr(request, name)
        return frozenset(kinds.get(one, "") for one in (value if field.is_repeated else (value,))) - {""} or every

    return read


def _first(rule: Rule, request: Message) -> str:
    return next(iter(rule.named_units(request)), "") if rule.named_units else ""


def _name(forest: ScopeTree, ref: str, day: date) -> str:
    """What a unit is called, for people, who know no ids; empty: it is none."""
    unit = forest.unit(forest.resolve(ref, day) or EVERY_UNIT)
    return unit.name if unit is not None else ""


def _not_allowed(method: str = "") -> Fault:
    return Fault(
        Kind.DENIED,
        "NOT_ALLOWED",
        vi="Chức năng này không mở cho người dùng và đối tác.",
        en="This method is not open to people and partners.",
        metadata={"method": method} if method else {},
    )


def _not_for_self_signed(method: str) -> Fault:
    return Fault(
        Kind.DENIED,
        "NOT_ALLOWED",
        vi="Chức năng này không mở cho mã truy cập mà đối tác tự ký. Hãy gọi bằng mã do hệ thống đăng nhập cấp.",
        en="This method is not open to tokens that a partner signed itself. Call it with one of the identity provider.",
        metadata={"method": method, "cause": "self_signed"},
    )


def _no_grant(rule: Rule, *, unit: str, name: str = "") -> Fault:
    method, on_vi, on_en = rule.method, "", ""
    if unit:
        on_vi, on_en = f" tại đơn vị “{name or unit}”", f" on the unit “{name or unit}”"
    elif rule.unit_field:
        # A stream that does not begin with what names its unit ends here, too.
        on_vi = f" trên mọi đơn vị, là điều được hiểu khi `{rule.unit_field}` bỏ trống"
        on_en = f" on every unit, which is what an empty `{rule.unit_field}` means"
    return Fault(
        Kind.DENIED,
        "NO_GRANT",
        vi=f"Bạn chưa được cấp quyền cho việc này{on_vi}. Hãy liên hệ người quản trị của đơn vị.",
        en=f"You hold no role for this{on_en}. Ask the unit's administrator for it.",
        metadata={"method": method, "unit": unit} if unit else {"method": method},
    )


def _not_for(rule: Rule, kinds: frozenset[str], *, unit: str, name: str) -> Fault:
    missing = ", ".join(sorted(kinds))
    alone_vi, alone_en = "", ""
    if rule.shown_field:
        alone_vi = f" Hãy chỉ hỏi loại mà bạn được kết nối (`{rule.shown_field}`)."
        alone_en = f" Ask only for what you are connected for (`{rule.shown_field}`)."
    return Fault(
        Kind.DENIED,
        "NO_GRANT",
        vi=f"Quyền của bạn tại đơn vị “{name or unit}” không gồm loại dữ liệu: {missing}.{alone_vi} Nếu cần loại này, "
        "hãy nhờ đơn vị kết nối thêm.",
        en=f"Your role on the unit “{name or unit}” is not for: {missing}.{alone_en} If you need that, ask the unit to "
        "connect you for it, too.",
        metadata={"method": rule.method, "unit": unit, "kinds": missing},
    )
