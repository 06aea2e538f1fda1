"""The toy's settings: the common ones."""

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing of its own."""
