"""What alerts is told from outside."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of alerts."""

    timer_seconds: float = Field(
        default=5.0, gt=0, description="How often is looked for what time alone changes: silence, deadlines, climbing."
    )
    history_days: int = Field(
        default=400, gt=0, description="How long states of facts are kept, for trying rules against the past."
    )
    resolved_days: int = Field(default=730, gt=0, description="How long resolved alerts and their steps are kept.")
