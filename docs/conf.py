"""Sphinx configuration of the site, which `nox -s docs` builds with antsibull-docs."""

project = "cruntime.node"
copyright = "the cruntime.node contributors"
html_title = "cruntime.node"
extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinxcontrib.mermaid"]
html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
pygments_style = "ansible"
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
exclude_patterns = ["collections/environment_variables.rst"]
