"""Lets staff write rules: checked before anything is stored, kept in versions, switched on and off.

Refuses what condition, texts, roles or days make unusable, to alter a rule that came with the service, and to touch a
rule of another unit.
"""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Rule
from services.alerts.domain.rules import PERSONAL_ROLES, ROLES
from services.alerts.domain.shapes import PERSONAL
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.refusals import (
    Wrong,
    built_in_rule,
    invalid_rule,
    rule_exists,
    stale_rule,
    unknown_rule,
)
from services.alerts.usecases.rulebook import refusals_of

TEXTS = ("title_vi", "title_en", "body_vi", "body_en")


async def create_rule(connection: AsyncConnection, rule: Rule, *, by: str, moment: Moment) -> Rule:
    """Write a rule's first version. Raises RULE_EXISTS, with what else is wrong, or INVALID_RULE."""
    await store.lock_code(connection, rule.code)
    if await store.list_versions(connection, rule.code, limit=1):
        raise rule_exists(rule.code, await _all_wrong(connection, rule))
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


async def check_rule(connection: AsyncConnection, rule: Rule) -> None:
    """Raises INVALID_RULE for all that cannot be used: condition, texts, roles, days, rules that keep it quiet."""
    if wrong := await _all_wrong(connection, rule):
        raise invalid_rule(wrong)


async def _all_wrong(connection: AsyncConnection, rule: Rule) -> list[Wrong]:
    return [*_wrong(rule), *await _unknown_inhibitors(connection, rule)]


def _wrong(rule: Rule) -> Iterator[Wrong]:
    yield from (Wrong(refusal.field, refusal.vi, str(refusal)) for refusal in refusals_of(rule))
    for name in TEXTS:
        if not getattr(rule, name).strip():
            yield Wrong(name, "văn bản này không được để trống", "this text must not be empty")
    if not rule.audience_roles:
        yield Wrong(
            "audience_roles",
            "cần ít nhất một vai trò để thông báo, nếu không sẽ chẳng ai biết",
            "name at least one role to tell, or nobody will know",
        )
    if unknown := ", ".join(sorted(set(rule.audience_roles) - set(ROLES))):
        known = ", ".join(ROLES)
        yield Wrong(
            "audience_roles",
            f"không có vai trò: {unknown}; hãy chọn trong: {known}",
            f"there is no role: {unknown}; choose of: {known}",
        )
    outside = ", ".join(sorted(set(rule.audience_roles) & set(ROLES) - set(PERSONAL_ROLES)))
    if rule.fact_kind in PERSONAL and outside:
        known = ", ".join(PERSONAL_ROLES)
        yield Wrong(
            "audience_roles",
            f"cảnh báo về từng học sinh không được gửi tới: {outside}; hãy chọn trong: {known}",
            f"alerts on single pupils are not told to: {outside}; choose of: {known}",
        )
    for name in ("audience_roles", "inhibited_by"):
        values = getattr(rule, name)
        if len(set(values)) < len(values):
            yield Wrong(name, "có giá trị lặp lại; hãy ghi mỗi giá trị một lần", "name each value once")
    if rule.code in rule.inhibited_by:
        yield Wrong("inhibited_by", "quy tắc không thể tự che chính nó", "a rule cannot keep itself quiet")
    if rule.valid_from and rule.valid_to and rule.valid_to <= rule.valid_from:
        yield Wrong("valid_to", "ngày hết hạn phải sau ngày bắt đầu", "it must end after the day it begins")


async def _write(connection: AsyncConnection, rule: Rule, *, by: str, moment: Moment) -> Rule:
    await check_rule(connection, rule)
    written = replace(rule, built_in=False, created_by=by, create_time=moment.now)
    await store.add_version(connection, written)
    return written


async def _unknown_inhibitors(connection: AsyncConnection, rule: Rule) -> list[Wrong]:
    known = {code for code, _ in await store.rule_versions(connection, frozenset(rule.inhibited_by))}
    unknown = ", ".join(sorted(set(rule.inhibited_by) - known))
    return [Wrong("inhibited_by", f"không có quy tắc: {unknown}", f"there is no rule: {unknown}")] if unknown else []


async def _own(connection: AsyncConnection, code: str, unit_id: int) -> Rule:
    await store.lock_code(connection, code)
    versions = await store.list_versions(connection, code, limit=1)
    if not versions or versions[0].unit_id != unit_id:
        raise unknown_rule(code)
    return versions[0]
