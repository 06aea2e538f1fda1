"""The ways to destinations, as settings and destinations name them; each is made once and kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from services.sync.clients.ministry import Account, Ministry
from services.sync.clients.record_events import RecordEvents
from services.sync.clients.typed_packages import TypedPackages
from services.sync.clients.webhooks import Webhook
from services.sync.domain.deliveries import Outlet
from services.sync.domain.destinations import Destination, ExchangeForm, Kind

MINISTRY = "moet"


@dataclass(frozen=True)
class MinistryOutlets:
    """The ministry, and the way to it in each of its forms."""

    ministry: Ministry  # To ask what it holds.
    forms: Mapping[ExchangeForm, Outlet]


@dataclass
class Outlets:
    """Finds the way to a destination. Opened by wiring."""

    http: httpx.AsyncClient
    ministry: MinistryOutlets | None
    private_addresses: bool
    _webhooks: dict[tuple[str, str], Webhook] = field(default_factory=dict)

    def of(self, destination: Destination, *, form: ExchangeForm | None = None) -> Outlet | None:
        """The way to a destination, in its form or the one a package was written in; None: this process has none."""
        if destination.kind is Kind.MINISTRY:
            return self.ministry.forms[form or destination.form] if self.ministry else None
        place = destination.code, destination.endpoint
        if place not in self._webhooks:
            self._webhooks[place] = Webhook(
                self.http,
                endpoint=destination.endpoint,
                secret=destination.secret,
                private_addresses=self.private_addresses,
            )
        return self._webhooks[place]

    def asked(self, destination: Destination) -> Ministry | None:
        """Whom to ask what a destination holds; None: nobody."""
        return self.ministry.ministry if self.ministry and destination.kind is Kind.MINISTRY else None


def ministry_of(http: httpx.AsyncClient, *, user: str, password: str) -> MinistryOutlets:
    """The ways to the ministry by an HTTP client with its base address."""
    ministry = Ministry(http, Account(user, password))
    forms: dict[ExchangeForm, Outlet] = {
        ExchangeForm.TYPED_PACKAGES: TypedPackages(ministry),
        ExchangeForm.RECORD_EVENTS: RecordEvents(ministry),
    }
    return MinistryOutlets(ministry, forms)
