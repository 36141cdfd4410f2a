"""The documentation site: pages written by hand, and one a name of the registry, made when the site is built."""

import sys
from pathlib import Path

from tensorbridge_cli import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "tensorbridge"
release = __version__
extensions = ["myst_parser", "registry"]
exclude_patterns = ["_build"]
smartquotes = False  # -- is how an option begins
html_theme = "furo"
html_title = f"tensorbridge {__version__}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
myst_heading_anchors = 3
