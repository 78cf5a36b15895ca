"""The error that a user can mend."""


class SteeringError(ValueError):
    """Bad input, in one sentence that names the bad value, the legal ones and the remedy.

    The command line prints it without a traceback. Whatever else is raised is a bug, and keeps its own.
    """
