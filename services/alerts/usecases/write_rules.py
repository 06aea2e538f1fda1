"""Lets staff write rules: checked before anything is stored, kept in versions, switched on and off.

Refuses what condition, texts, roles or days make unusable, to alter a rule that came with the service, and to touch a
rule of another unit.
"""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Rule
from services.alerts.domain.rules import ROLES
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.refusals import (
    built_in_rule,
    invalid_rule,
    rule_exists,
    stale_rule,
    unknown_rule,
)
from services.alerts.usecases.rulebook import RuleRefused, compile_rule

TEXTS = ("title_vi", "title_en", "body_vi", "body_en")


async def create_rule(connection: AsyncConnection, rule: Rule, *, by: str, moment: Moment) -> Rule:
    """Write a rule's first version. Raises RULE_EXISTS or INVALID_RULE."""
    await store.lock_code(connection, rule.code)
    if await store.list_versions(connection, rule.code, limit=1):
        raise rule_exists(rule.code)
    return await _write(connection, replace(rule, version=1), by=by, moment=moment)


async def update_rule(connection: AsyncConnection, rule: Rule, *, expected: int, by: str, moment: Moment) -> Rule:
    """Write another version of a rule of the same unit.

    Raises UNKNOWN_RULE, BUILT_IN_RULE, STALE_RULE or INVALID_RULE.
    """
    newest = await _own(connection, rule.code, rule.unit_id)
    if newest.built_in:
        raise built_in_rule(rule.code)
    if expected and expected != newest.version:
        raise stale_rule(newest.version)
    version = replace(rule, version=newest.version + 1, copied_from=newest.copied_from)
    return await _write(connection, version, by=by, moment=moment)


async def switch_rule(
    connection: AsyncConnection, code: str, *, unit_id: int, enabled: bool, note: str, by: str, moment: Moment
) -> Rule:
    """Take a rule out of force or bring it back, whatever versions it has and will have. Raises UNKNOWN_RULE."""
    await _own(connection, code, unit_id)
    await store.switch(connection, code, enabled=enabled, note=note, by=by, now=moment.now)
    [rule] = await store.list_versions(connection, code, limit=1)
    return rule


def check_rule(rule: Rule) -> None:
    """Raises INVALID_RULE for what cannot be used: condition, texts, roles, days."""
    try:
        compile_rule(rule)
    except RuleRefused as refusal:
        raise invalid_rule(refusal.field, vi=refusal.vi, en=str(refusal)) from refusal
    for name in TEXTS:
        if not getattr(rule, name).strip():
            raise invalid_rule(name, vi="văn bản này không được để trống", en="this text must not be empty")
    if not rule.audience_roles:
        raise invalid_rule(
            "audience_roles",
            vi="cần ít nhất một vai trò để thông báo, nếu không sẽ chẳng ai biết",
            en="name at least one role to tell, or nobody will know",
        )
    unknown = sorted(set(rule.audience_roles) - set(ROLES))
    if unknown:
        known = ", ".join(ROLES)
        raise invalid_rule(
            "audience_roles",
            vi=f"không có vai trò: {', '.join(unknown)}; hãy chọn trong: {known}",
            en=f"there is no role: {', '.join(unknown)}; choose of: {known}",
        )
    for name in ("audience_roles", "inhibited_by"):
        values = getattr(rule, name)
        if len(set(values)) < len(values):
            raise invalid_rule(name, vi="có giá trị lặp lại; hãy ghi mỗi giá trị một lần", en="name each value once")
    if rule.code in rule.inhibited_by:
        raise invalid_rule("inhibited_by", vi="quy tắc không thể tự che chính nó", en="a rule cannot keep itself quiet")
    if rule.valid_from and rule.valid_to and rule.valid_to <= rule.valid_from:
        raise invalid_rule(
            "valid_to", vi="ngày hết hạn phải sau ngày bắt đầu", en="it must end after the day it begins"
        )


async def _write(connection: AsyncConnection, rule: Rule, *, by: str, moment: Moment) -> Rule:
    check_rule(rule)
    await _inhibitors_exist(connection, rule)
    written = replace(rule, built_in=False, created_by=by, create_time=moment.now)
    await store.add_version(connection, written)
    return written


async def _inhibitors_exist(connection: AsyncConnection, rule: Rule) -> None:
    known = {code for code, _ in await store.rule_versions(connection, frozenset(rule.inhibited_by))}
    unknown = ", ".join(sorted(set(rule.inhibited_by) - known))
    if unknown:
        raise invalid_rule("inhibited_by", vi=f"không có quy tắc: {unknown}", en=f"there is no rule: {unknown}")


async def _own(connection: AsyncConnection, code: str, unit_id: int) -> Rule:
    await store.lock_code(connection, code)
    versions = await store.list_versions(connection, code, limit=1)
    if not versions or versions[0].unit_id != unit_id:
        raise unknown_rule(code)
    return versions[0]
