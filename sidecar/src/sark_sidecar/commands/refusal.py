"""How a command ends when it cannot do what it is for."""


class Refused(Exception):  # noqa: N818 - what happened, not a kind of error
    """The message is one sentence for whoever gave the command."""
