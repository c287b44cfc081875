"""Matrix: rendering that is pure, a sender at the homeserver's pace, and a listener for commands, over mautrix."""

from adapters.matrix.adapter import Matrix, build
from adapters.matrix.settings import MatrixOptions, MatrixSettings
from relay.plugins import Plugin

plugin = Plugin(MatrixSettings, build, options=MatrixOptions)

__all__ = ["Matrix", "MatrixOptions", "MatrixSettings", "build", "plugin"]
