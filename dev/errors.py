"""The errors of dev/: one tree. Each message names the next thing to do."""


class DevError(Exception):
    """A step failed and a person can fix it; the command prints it without a traceback."""


class MissingTool(DevError):
    """The machine lacks a requirement: root, Go, a Debian package."""


class BuildFailed(DevError):
    """A build failed; the message has the end of its log."""


class StepTimeout(DevError):
    """Something was not ready by its deadline; the message has the end of its log."""


class Interrupted(DevError):
    """A step was stopped because another one failed or the command was interrupted."""
