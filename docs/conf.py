"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

import lockgate

project = "lockgate"
author = "the lockgate authors"
release = version = lockgate.__version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["site"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
"""Headings of that depth can be linked."""
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
html_theme = "furo"
html_title = f"lockgate {release}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["pictures"]
