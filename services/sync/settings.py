"""What sync is told from outside."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the sync service."""

    records_address: str = Field(description="host:port of records, which stores the rows.")
    document_limit_mb: int = Field(default=256, gt=0, description="Largest NDJSON document that is taken, in MB.")
    json_limit_mb: int = Field(
        default=16,
        gt=0,
        description="Largest JSON document that is taken, in MB: it is read as a whole, unlike NDJSON.",
    )
    batches_kept_days: int = Field(
        default=400,
        ge=1,
        description="How long batches are kept: a repeat within that time is answered the same, a later one is new.",
    )
    quarantined_kept_days: int = Field(
        default=400, ge=1, description="How long refused and held rows, which are personal data, are kept."
    )
    file_limit_mb: int = Field(default=256, gt=0, description="Largest file that is taken as an import, in MB.")
    files_kept_days: int = Field(
        default=30,
        ge=1,
        description="How long the files of imports, which are personal data, are kept after their end.",
    )
    connections_seconds: float = Field(
        default=60.0, gt=0, description="How often the schools to wait for are compared with the tree of units."
    )
