"""What records is told from outside, beside what every service is told."""

from pydantic import Field

from chassis.settings import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings):
    """Settings of records."""

    administrators: str = Field(
        default="",
        description="Subjects, separated by commas, that are administrators of every unit without a stored grant.",
    )
    answers_kept_days: int = Field(
        default=7, ge=1, description="How long answers to ApplyRows are kept, so that a repeat is answered the same."
    )
    brought_kept_days: int = Field(
        default=730, ge=1, description="How long it is kept which batches brought what is stored, and whose token."
    )
    access_anchor_seconds: float = Field(
        default=60.0, gt=0, description="How often the end of the access log's chain is anchored outside the database."
    )

    @property
    def administrator_subjects(self) -> tuple[str, ...]:
        """The subjects of `administrators`."""
        return tuple(filter(None, (subject.strip() for subject in self.administrators.split(","))))


class AuditSettings(DatabaseSettings):
    """Settings of who checks the access log: no more than what is looked at, and how often it is anchored."""

    nats_url: str = Field(default="", description="NATS that holds the anchors; empty: only those given are compared.")
    access_anchor_seconds: float = Field(
        default=60.0, gt=0, description="How often the service anchors the chain's end, where it is told another time."
    )
