"""Rules as staff write, switch and try them."""

from collections import Counter
from dataclasses import replace
from typing import Any

from iocedu.alerts.v1 import rules_pb2, rules_pb2_grpc

from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from services.alerts import store, usecases
from services.alerts.convert import alert_message, draft_of, rule_message
from services.alerts.convert.days import beginning_of
from services.alerts.convert.rules import kind_message
from services.alerts.domain import KINDS, Rule
from services.alerts.servicer.desk import Desk
from services.alerts.usecases.refusals import unknown_rule
from services.alerts.usecases.try_rules import Backtest

MOST_UNITS = 50
K = 3


class RulesServicer(rules_pb2_grpc.RulesServiceServicer):
    """Serves `iocedu.alerts.v1.RulesService`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListFactKinds(
        self, request: rules_pb2.ListFactKindsRequest, _context: Any
    ) -> rules_pb2.ListFactKindsResponse:
        """List the kinds of facts, by code."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        codes = sorted(code for code in KINDS if not cursor or code > str(cursor[0]))
        response = rules_pb2.ListFactKindsResponse(kinds=map(kind_message, codes[:size]))
        if len(codes) > size:
            response.next_page_token = page_token(request, [codes[size - 1]])
        return response

    async def CreateRule(self, request: rules_pb2.CreateRuleRequest, _context: Any) -> rules_pb2.CreateRuleResponse:
        """Write a rule's first version, from a draft or as a copy."""
        unit_id = self._desk.unit_id(request.unit)
        async with self._desk.database.transaction() as connection:
            base = None
            if request.copied_from:
                versions = await store.list_versions(connection, request.copied_from, limit=1)
                if not versions:
                    raise unknown_rule(request.copied_from)
                base = versions[0]
            draft = draft_of(request.rule, code=request.code, base=base, counting=request.update_mask.paths)
            wanted = replace(draft, unit_id=unit_id, copied_from=request.copied_from)
            rule = await usecases.create_rule(connection, wanted, by=caller().subject, moment=self._desk.moment())
        return rules_pb2.CreateRuleResponse(rule=rule_message(rule))

    async def UpdateRule(self, request: rules_pb2.UpdateRuleRequest, _context: Any) -> rules_pb2.UpdateRuleResponse:
        """Write another version of a rule."""
        wanted = replace(draft_of(request.rule, code=request.code), unit_id=self._desk.unit_id(request.unit))
        async with self._desk.database.transaction() as connection:
            rule = await usecases.update_rule(
                connection, wanted, expected=request.version, by=caller().subject, moment=self._desk.moment()
            )
        return rules_pb2.UpdateRuleResponse(rule=rule_message(rule))

    async def SwitchRule(self, request: rules_pb2.SwitchRuleRequest, _context: Any) -> rules_pb2.SwitchRuleResponse:
        """Take a rule out of force or back into it."""
        async with self._desk.database.transaction() as connection:
            rule = await usecases.switch_rule(
                connection,
                request.code,
                unit_id=self._desk.unit_id(request.unit),
                enabled=request.enabled,
                note=request.note,
                by=caller().subject,
                moment=self._desk.moment(),
            )
        return rules_pb2.SwitchRuleResponse(rule=rule_message(rule))

    async def ListRuleVersions(
        self, request: rules_pb2.ListRuleVersionsRequest, _context: Any
    ) -> rules_pb2.ListRuleVersionsResponse:
        """List all versions of a rule, newest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self._desk.database.connection() as connection:
            rules = await store.list_versions(
                connection, request.code, below=int(cursor[0]) if cursor else None, limit=size + 1
            )
        if not rules and not cursor:
            raise unknown_rule(request.code)
        response = rules_pb2.ListRuleVersionsResponse(rules=map(rule_message, rules[:size]))
        if len(rules) > size:
            response.next_page_token = page_token(request, [rules[size - 1].version])
        return response

    async def DryRunRule(self, request: rules_pb2.DryRunRuleRequest, _context: Any) -> rules_pb2.DryRunRuleResponse:
        """Say what a rule would raise now."""
        below, moment = self._desk.subtree(request.unit)(), self._desk.moment()
        rule = self._tried(request.rule, code=request.code, unit=request.unit)
        async with self._desk.database.snapshot() as connection:
            found = await usecases.dry_run(connection, rule, below, moment)
            open_now = await store.count_open(connection, request.code, below) if request.code else 0
        return rules_pb2.DryRunRuleResponse(
            fact_count=found.fact_count,
            alert_count=found.by_unit.total(),
            open_count=open_now,
            people_count=len(self._people(rule, set(found.by_unit))),
            units=self._units(found.by_unit),
            unit_count=len(found.by_unit),
            examples=[alert_message(alert, self._desk.unit_name) for alert in found.examples],
            not_considered=["for_minutes"] if rule.for_minutes else [],
        )

    async def BacktestRule(
        self, request: rules_pb2.BacktestRuleRequest, _context: Any
    ) -> rules_pb2.BacktestRuleResponse:
        """Say what a rule would have raised."""
        below, moment = self._desk.subtree(request.unit)(), self._desk.moment()
        rule = self._tried(request.rule, code="", unit=request.unit)
        since = beginning_of(request.since, field="since")
        async with self._desk.database.snapshot() as connection:
            found = await usecases.backtest(connection, rule, below, moment, since=since, k=request.k or K)
        return self._backtested(found)

    def _backtested(self, found: Backtest) -> rules_pb2.BacktestRuleResponse:
        response = rules_pb2.BacktestRuleResponse(
            fact_count=found.facts,
            state_count=found.states,
            alert_count=found.by_unit.total(),
            subject_count=len(found.episodes),
            open_count=found.still_open,
            median_open_hours=found.median_open_hours,
            alerts_by_day=found.by_day,
            units=self._units(found.by_unit),
        )
        if found.first_time is not None:
            response.first_time.FromDatetime(found.first_time)
        if (outcome := found.outcome) is not None:
            response.outcome.CopyFrom(
                rules_pb2.Outcome(
                    pupil_count=outcome.pupils,
                    left_count=outcome.left,
                    warned_count=outcome.warned,
                    median_lead_days=outcome.median_lead_days,
                    top_count=outcome.top,
                    top_left_count=outcome.top_left,
                )
            )
        return response

    def _tried(self, draft: rules_pb2.RuleDraft, *, code: str, unit: str) -> Rule:
        return replace(draft_of(draft, code=code or "draft"), unit_id=self._desk.unit_id(unit))

    def _units(self, by_unit: Counter[int]) -> list[rules_pb2.UnitCount]:
        return [
            rules_pb2.UnitCount(unit_id=unit_id, unit_name=self._desk.unit_name(unit_id), count=count)
            for unit_id, count in by_unit.most_common(MOST_UNITS)
        ]

    def _people(self, rule: Rule, units: set[int]) -> set[str]:
        """Who would be told when the alerts are raised."""
        tree, today = self._desk.scopes.tree, self._desk.clock.today()
        alone = rule.audience_reach == rule.audience_reach.UNIT
        return {
            subject
            for unit_id in units
            for subject, _, granted in tree.holders(rule.audience_roles, unit_id, today)
            if not alone or granted == unit_id
        }
