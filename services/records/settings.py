"""What records is told from outside, beside what every service is told."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of records."""

    administrators: str = Field(
        default="",
        description="Subjects, separated by commas, that are administrators of every unit without a stored grant.",
    )
    answers_kept_days: int = Field(
        default=7, ge=1, description="How long answers to ApplyRows are kept, so that a repeat is answered the same."
    )

    @property
    def administrator_subjects(self) -> tuple[str, ...]:
        """The subjects of `administrators`."""
        return tuple(filter(None, (subject.strip() for subject in self.administrators.split(","))))
