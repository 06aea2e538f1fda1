"""gRPC in: request, use case, response; one class for each service of the interface."""

from services.sync.servicer.coverage import CoverageServicer
from services.sync.servicer.destinations import DestinationsServicer
from services.sync.servicer.imports import ImportsServicer
from services.sync.servicer.partners import PartnersServicer
from services.sync.servicer.quarantine import QuarantineServicer
from services.sync.servicer.reconciliation import ReconciliationServicer
from services.sync.servicer.sync import SyncServicer

__all__ = [
    "CoverageServicer",
    "DestinationsServicer",
    "ImportsServicer",
    "PartnersServicer",
    "QuarantineServicer",
    "ReconciliationServicer",
    "SyncServicer",
]
