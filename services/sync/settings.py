"""What sync is told from outside."""

from typing import Literal

from pydantic import Field, SecretStr

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the sync service."""

    records_address: str = Field(description="host:port of records, which stores the rows.")
    partner_keys_listen: str = Field(
        default="",
        description="host:port where the edge fetches the keys by which partners sign; empty: nowhere.",
    )
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
    coverage_seconds: float = Field(
        default=1.0, gt=0, description="How often schools are looked for whose coverage may be another by now."
    )
    ministry_url: str = Field(
        default="", description="Address of the ministry's sector database; empty: no pushing to it."
    )
    ministry_name: str = Field(default="Cơ sở dữ liệu ngành", description="Name under which it is shown to people.")
    ministry_user: str = Field(default="", description="User of the department at the sector database.")
    ministry_password: SecretStr = Field(default=SecretStr(""), description="Password of that user.")
    ministry_department: str = Field(default="48", description="Code of the department at the sector database.")
    ministry_calls_per_second: float = Field(default=50.0, gt=0, description="Most packages a second, when first met.")
    ministry_form: Literal["typed_packages", "record_events"] = Field(
        default="typed_packages",
        description="In which of its forms the sector database is spoken to, when first met; then `UpdateDestination`.",
    )
    push_workers: int = Field(default=4, ge=0, description="Schools pushed at a time by each replica; 0: none.")
    feed_seconds: float = Field(
        default=1.0, gt=0, description="How often the change feed is looked at for destinations."
    )
    outcomes_kept_days: int = Field(
        default=400,
        ge=1,
        description="How long the history of what was pushed is kept, and which records comparisons found to differ;"
        " how many did is kept for ever.",
    )
    webhook_private_addresses: bool = Field(
        default=False, description="Whether subscribers may have addresses inside the network, and speak plain HTTP."
    )
