"""Sphinx configuration: ``sphinx-build -W --keep-going -n -c docs . work_dirs/site``.

The source folder is the repository, not ``docs``: pages link to configs, tests and READMEs outside
of ``docs`` by relative paths, which are then valid on the site and on the repository page.
"""

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from mmseg_langseg import __version__

ROOT = Path(__file__).resolve().parents[1]

project = 'mmseg_langseg'
author = 'The mmseg_langseg contributors'
project_copyright = author
release = version = __version__

extensions = ['myst_nb', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
root_doc = 'docs/index'
include_patterns = [
    'docs/**',
    'configs/*/README.md',
    'demo/*.ipynb',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
]
# Folders without pages are not searched: data/ may be a link to millions of files.
exclude_patterns = [
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and path.name not in ('configs', 'demo', 'docs')
]

myst_heading_anchors = 4
# The site shows the notebook as it runs now, and the build fails if it does not.
nb_execution_mode = 'force'
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = 'remove'  # tqdm's remark that ipywidgets is missing

autodoc_default_options = {'members': True, 'special-members': '__call__'}
autodoc_member_order = 'bysource'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
# Names of other packages; their indices are not downloaded, so that the site is built offline.
nitpick_ignore_regex = [
    (r'py:.*', r'(?!mmseg_langseg)\w+\..*'),
    (r'py:class', r'Tensor|SegDataSample'),
]

html_theme = 'furo'
html_title = project
html_copy_source = False
html_show_sphinx = False
html_static_path = ['_static']
html_css_files = ['site.css']
templates_path = ['_templates']
html_additional_pages = {'index': 'redirect.html'}


def find_unqualified(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a name without its package, as docstrings write it, if only one object has it."""
    target = node.get('reftarget')
    if node.get('refdomain') != 'py':
        return None
    objects = env.get_domain('py').objects.items()
    found = {
        entry.node_id: entry
        for name, entry in objects
        if name.endswith(f'.{target}') and not entry.aliased
    }
    if len(found) != 1:
        return None
    (entry,) = found.values()
    return make_refnode(app.builder, node['refdoc'], entry.docname, entry.node_id, content)


def hide_factories(
    app: Sphinx, kind: str, name: str, obj: object, options: dict, signature: str, returns: str
) -> tuple[str, str] | None:
    """Write the default of a dataclass field with a factory as ``...``, which Sphinx can parse."""
    return signature and (signature.replace('<factory>', '...'), returns)


def setup(app: Sphinx) -> None:
    """Connect the functions of this file."""
    app.connect('missing-reference', find_unqualified)
    app.connect('autodoc-process-signature', hide_factories)
