"""gRPC in: request, use case, response. Transactions are opened here."""

from services.records.servicer.access import AccessServicer
from services.records.servicer.access_log import AccessLogServicer
from services.records.servicer.assessment import AssessmentServicer
from services.records.servicer.attendance import AttendanceServicer
from services.records.servicer.calendar import CalendarServicer
from services.records.servicer.data_requests import DataRequestsServicer
from services.records.servicer.erasures import ErasuresServicer
from services.records.servicer.export import ExportServicer
from services.records.servicer.grants import GrantsServicer
from services.records.servicer.held_records import HeldRecordsServicer
from services.records.servicer.history import HistoryServicer
from services.records.servicer.holdings import HoldingsServicer
from services.records.servicer.locks import LocksServicer
from services.records.servicer.persons import PersonsServicer
from services.records.servicer.profiles import ProfilesServicer
from services.records.servicer.records import RecordsServicer
from services.records.servicer.sandboxes import SandboxesServicer
from services.records.servicer.search import SearchServicer
from services.records.servicer.sources import SourcesServicer
from services.records.servicer.transfers import TransfersServicer
from services.records.servicer.unit_operations import UnitOperationsServicer
from services.records.servicer.units import UnitsServicer

__all__ = [
    "AccessLogServicer",
    "AccessServicer",
    "AssessmentServicer",
    "AttendanceServicer",
    "CalendarServicer",
    "DataRequestsServicer",
    "ErasuresServicer",
    "ExportServicer",
    "GrantsServicer",
    "HeldRecordsServicer",
    "HistoryServicer",
    "HoldingsServicer",
    "LocksServicer",
    "PersonsServicer",
    "ProfilesServicer",
    "RecordsServicer",
    "SandboxesServicer",
    "SearchServicer",
    "SourcesServicer",
    "TransfersServicer",
    "UnitOperationsServicer",
    "UnitsServicer",
]
