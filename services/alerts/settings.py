"""What alerts is told from outside."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of alerts."""

    timer_seconds: float = Field(
        default=5.0, gt=0, description="How often facts are looked at that change by time alone, such as silence."
    )
