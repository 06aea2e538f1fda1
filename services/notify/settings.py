"""What notify is told from outside."""

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of notify: those of every service, and none besides."""
