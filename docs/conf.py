"""Sphinx configuration of the site, which `nox -s docs` builds with antsibull-docs."""

project = "cruntime.node"
copyright = "the cruntime.node contributors"
html_title = "cruntime.node"
extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinxcontrib.mermaid"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {
    # The title of each page links to the source; the default is the root of the web server.
    "documentation_home_url": "https://github.com/cruntime/cruntime.node",
    "show_rtd_ethical_ads": False,
}
html_show_sphinx = False
pygments_style = "ansible"
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
exclude_patterns = ["collections/environment_variables.rst"]
