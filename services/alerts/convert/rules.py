"""Rules and their statistics as the contract shows them, and what staff say of a rule as a rule."""

from collections.abc import Collection
from datetime import date
from typing import Any

from iocedu.alerts.v1 import alerts_pb2, insight_pb2, rules_pb2

from chassis.errors import FieldViolation
from chassis.validation import invalid
from services.alerts.convert.tables import rule_names
from services.alerts.domain import KINDS, Reach, Rule, Severity
from services.alerts.domain.combining import stands_beside
from services.alerts.domain.rules import FAMILY_OF_KIND, RuleStatistics
from services.alerts.domain.shapes import Kind
from services.alerts.domain.texts import without_values

CEL_TYPES = {str: "string", int: "int", float: "double", bool: "bool"}
_SAME = (
    "code",
    "version",
    "condition",
    "fact_kind",
    "title_vi",
    "title_en",
    "body_vi",
    "body_en",
    "source_document",
    "enabled",
    "audience_roles",
    "family",
    "for_minutes",
    "clear_condition",
    "group_hours",
    "owner",
    "unit_id",
    "built_in",
    "copied_from",
    "acknowledge_hours",
    "resolve_hours",
    "school_days_only",
    "inhibited_by",
    "created_by",
    "change_note",
    "group_wait_seconds",
    "group_interval_minutes",
    "with_kinds",
    "optional_kinds",
)
EVERY_FIELD = "*"
_DRAFTED = tuple(name for name in rules_pb2.RuleDraft.DESCRIPTOR.fields_by_name)


def rule_message(rule: Rule) -> alerts_pb2.Rule:
    """A rule as the contract shows it."""
    name_vi, name_en = names_of(rule)
    message = alerts_pb2.Rule(
        **{name: getattr(rule, name) for name in _SAME},
        severity=alerts_pb2.Severity.ValueType(rule.severity),
        audience_reach=alerts_pb2.AudienceReach.ValueType(rule.audience_reach),
        group_by=alerts_pb2.AlertGrouping.ValueType(rule.group_by),
        valid_from=rule.valid_from.isoformat() if rule.valid_from else "",
        valid_to=rule.valid_to.isoformat() if rule.valid_to else "",
        name_vi=name_vi,
        name_en=name_en,
    )
    if rule.create_time is not None:
        message.create_time.FromDatetime(rule.create_time)
    return message


def names_of(rule: Rule) -> tuple[str, str]:
    """What its alerts are called together, in Vietnamese and English."""
    own = rule_names().get(rule.code) if rule.built_in else None
    return (own["vi"], own["en"]) if own else (without_values(rule.title_vi), without_values(rule.title_en))


def draft_of(
    draft: rules_pb2.RuleDraft, *, code: str, base: Rule | None = None, counting: Collection[str] = ()
) -> Rule:
    """The rule that a draft says, without version, unit and writer; what does not count is as in `base`.

    Of a draft count the fields named, or all by `*`; where none is, those that are not empty. Raises INVALID_FIELD for
    names of none.
    """
    if unknown := ", ".join(sorted({*counting} - {*_DRAFTED, EVERY_FIELD})):
        vi = f"không có trường: {unknown}; hãy chọn trong: {', '.join(_DRAFTED)}, hoặc {EVERY_FIELD} cho tất cả"
        en = f"there is no field: {unknown}; choose of: {', '.join(_DRAFTED)}, or {EVERY_FIELD} for all"
        raise invalid([FieldViolation("update_mask", "INVALID_FIELD", vi, en)])
    said: dict[str, Any] = {}
    for name in _DRAFTED:
        value = getattr(draft, name)
        repeated = draft.DESCRIPTOR.fields_by_name[name].is_repeated
        said[name] = tuple(value) if repeated else value
    for name in ("valid_from", "valid_to"):
        said[name] = date.fromisoformat(said[name]) if said[name] else None
    if base is not None:
        for name, value in said.items():
            counts = not {name, EVERY_FIELD}.isdisjoint(counting) if counting else value
            if not counts:
                said[name] = getattr(base, name)
    said["severity"] = Severity(said["severity"] or Severity.WARNING)
    said["audience_reach"] = Reach(said["audience_reach"] or Reach.ABOVE)
    family = FAMILY_OF_KIND.get(str(said["fact_kind"]), "")
    return Rule(code=code, version=1, family=family, **said)


def kind_message(code: str) -> rules_pb2.FactKind:
    """A kind of fact with its fields."""
    kind: Kind = KINDS[code]
    return rules_pb2.FactKind(
        code=code,
        name_vi=kind.name_vi,
        name_en=kind.name_en,
        personal=kind.personal,
        fields=[
            rules_pb2.FactField(name=name, type=CEL_TYPES[one.type], name_vi=one.name_vi, name_en=one.name_en)
            for name, one in kind.fields.items()
        ],
        beside=[other for other in sorted(KINDS) if other != code and stands_beside(code, other)],
    )


def statistics_message(one: RuleStatistics) -> insight_pb2.RuleStatistics:
    """How a rule did."""
    return insight_pb2.RuleStatistics(
        rule=one.rule,
        family=one.family,
        raised_count=one.raised,
        open_count=one.still_open,
        acknowledged_count=one.acknowledged,
        by_hand_count=one.by_hand,
        false_alarm_count=one.false_alarms,
        escalated_count=one.escalated,
        unit_count=one.units,
        median_minutes_to_acknowledge=one.minutes_to_acknowledge,
        median_minutes_to_resolve=one.minutes_to_resolve,
    )
