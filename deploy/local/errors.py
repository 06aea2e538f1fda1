"""The one exception of the local fleet. Refuses to carry anything but a sentence that says what to do next."""


class NotStarted(Exception):  # noqa: N818  the name is the state a person finds, not a class of error
    """Something cannot run here; the text is one line that names the reason and the remedy."""
