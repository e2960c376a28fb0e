"""The errors of dev/: one tree, each message says what to do next."""


class DevError(Exception):
    """A step failed in a way that a person can mend; the command prints it without a traceback."""


class MissingTool(DevError):
    """Something that must be on the machine is not: root, Go, a Debian package."""


class BuildFailed(DevError):
    """A program did not build; the message holds the end of its log."""


class StepTimeout(DevError):
    """Something did not become ready by its deadline; the message holds the end of its log."""


class Interrupted(DevError):
    """A step was stopped because another one failed or the command was interrupted."""
