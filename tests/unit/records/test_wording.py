"""Codes in words: there is one for whatever a message can name."""

from services.records.domain import wording
from services.records.domain.data_requests import Kind, State
from services.records.domain.objects import BY_COLLECTION
from services.records.domain.transfers import State as TransferState


def test_whatever_a_message_names_has_words():
    """A collection, kind or state that comes later must not break the message about it."""
    assert set(wording.COLLECTIONS) == set(BY_COLLECTION)
    assert set(wording.REQUEST_KINDS) == set(Kind)
    assert set(wording.REQUEST_STATES) == set(State)
    assert set(wording.TRANSFER_STATES) == set(TransferState)
