"""Settings of reporting, read from `IOCEDU_*`."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What reporting is told from outside."""

    records_address: str = Field(
        default="", description="host:port of records; a rebuild and the locks of approvals need it."
    )
