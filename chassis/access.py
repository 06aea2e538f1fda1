"""Who may call a method: the rule is read from the method's access option, the grants from the scopes tree.

Deny by default: a method without the option cannot be called.
"""

from collections.abc import Callable, Collection
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
    )


def decide(rule: Rule | None, caller: Caller, request: Message, *, tree: Callable[[], ScopeTree], day: date) -> None:
    """Let the call pass or raise NOT_ALLOWED, NO_GRANT or UNKNOWN_UNIT. The tree is asked for only where it matters."""
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
    if rule.named_units is None or EVERY_UNIT in held:
        # Who holds the role on every unit is not stopped by a unit that is not known here; the method says so itself.
        return
    for ref in rule.named_units(request) or [str(EVERY_UNIT)]:
        unit_id = forest.resolve(ref or str(EVERY_UNIT), day)
        if unit_id is None:
            raise unknown_unit(ref)
        if not forest.may(caller.subject, roles, unit_id, day):
            raise _no_grant(rule, unit=ref, name=_name(forest, ref, day))


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
