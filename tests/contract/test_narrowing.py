"""What partners are narrowed to: every method that shows them personal data says of which collections."""

from iocedu.chassis.v1 import access_pb2
from iocedu.records.v1 import resources_pb2

from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.partners import INTEGRATOR
from tests.support.methods import methods

KINDS = set(COLLECTIONS.values())
# These show a partner what came with batches and files: rows that were refused, and problems of files.
OF_WHAT_WAS_SENT = {
    "iocedu.sync.v1.ImportsService.GetImportReport",
    "iocedu.sync.v1.ImportsService.ListImportProblems",
    "iocedu.sync.v1.SyncService.ListQuarantinedRows",
}


def test_what_shows_partners_personal_data_says_of_which_collections() -> None:
    """A new method cannot forget it: else a connection for pupils would let a vendor read the staff by it."""
    silent = {
        one.full_name
        for one in methods()
        if INTEGRATOR in one.access.roles
        and one.access.reveals_personal_data
        and not (one.access.shows or one.access.shown_field)
    }
    assert silent == OF_WHAT_WAS_SENT


def test_methods_name_the_kinds_that_connections_are_for() -> None:
    """A kind that no connection can name would be shown to no partner."""
    named = {kind for one in methods() for kind in one.access.shows}
    values = resources_pb2.ObjectType.DESCRIPTOR.values
    asked = {value.GetOptions().Extensions[access_pb2.kind] for value in values if value.number}
    assert named <= KINDS
    assert asked == KINDS
