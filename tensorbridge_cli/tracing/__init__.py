"""The same questions asked of a user's own program: which conversions run, from which lines, and what they do.

``launch`` runs the program with ``inside/start/`` on its path; there ``inside.hooks`` wraps each conversion and
``inside.recorder`` counts its calls, in the program's own process. ``report.merge`` adds up the counts of all
processes, and ``report.findings`` says what they mean. ``early`` starts a program before the command line is imported.
"""

import os

FOLDER = "TENSORBRIDGE_TRACE_FOLDER"
"""The environment variable that tells a traced program where its plan is and where its counts go."""

GATE = "TENSORBRIDGE_TRACE_GATE"
"""That of the pipe from which the program reads one byte before it begins: then the plan is there."""

PLAN = "plan.json"
"""The file in that folder which says what to hook and whose code counts."""

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside", "start")
"""The folder on the path of what is traced, whose ``sitecustomize`` starts the recorder."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})


def is_installed(file: str) -> bool:
    """Return True for a file of an installed package, also of another environment that a program sees."""
    return not _INSTALLED.isdisjoint(file.split(os.sep))
