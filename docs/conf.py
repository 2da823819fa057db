"""Sphinx: the pages in docs/, tables that are made from the code, and tutorials that are run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from generate.pages import write_generated  # noqa: E402
from generate.tutorials import left_out, prepare_kernels, said_of_tutorial, state_of_code  # noqa: E402

import mitsuba_mei  # noqa: E402

project = "mitsuba_mei"
author = "the mitsuba_mei developers"
project_copyright = author
version = release = mitsuba_mei.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
]
exclude_patterns = ["_build", "_generated", "generate", "validation/earlier", "validation/data", "**/jupyter_execute"]
nitpicky = True
smartquotes = False  # options begin with two hyphens
show_warning_types = True
suppress_warnings = ["misc.highlighting_failure"]  # of shell commands that go over several lines in a cell

# ------------------------------------------------------------------------------------------------------- Markdown
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

# ------------------------------------------------------------------------------------------------------ tutorials
# Run from the repository's root, so that they name scenes and models as a reader does. What has been run is kept until
# the notebook or the package changes.
WITHOUT_WEIGHTS = left_out(DOCS / "tutorials")
nb_execution_mode = "off" if os.environ.get("MITSUBA_MEI_DOCS_EXECUTE") == "0" else "cache"
nb_execution_cache_path = str(DOCS / "_build" / "executed" / state_of_code(DOCS.parent))
nb_execution_excludepatterns = [f"tutorials/{name}.md" for name in WITHOUT_WEIGHTS]
nb_execution_timeout = 300
nb_execution_show_tb = True  # and the warning ends the build, when all have been run
nb_merge_streams = True

# ------------------------------------------------------------------------------------------------------------ API
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_validation_checks = set()

# ----------------------------------------------------------------------------------------------------------- HTML
# Fonts, icons and the search lie beside the pages: nothing is fetched when they are read.
html_theme = "pydata_sphinx_theme"
html_title = f"mitsuba_mei {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
}


def setup(app) -> None:
    write_generated(DOCS / "_generated")
    if nb_execution_mode != "off":
        prepare_kernels(DOCS / "_build", DOCS.parent)
    app.connect("source-read", lambda app, page, source: said_of_tutorial(page, source, WITHOUT_WEIGHTS))
