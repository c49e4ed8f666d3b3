"""What of a page Sphinx needs to number figures and tables, kept beside what else it knows of all pages.

It numbers them at each build, also when one page was read anew, and would load every page of the contents for it: of a
page with thousands of rows nothing counts but its sections and what has a number.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_KEPT = (nodes.section, addnodes.toctree)
#: What a caption is taken from.
_TITLES = (nodes.title, nodes.caption)


def skeleton(document: nodes.Element, numbered: set[type]) -> nodes.Element:
    """The sections and contents of a document and what is of the classes ``numbered``, in their order."""
    bones = nodes.Element()
    bones.extend(_bones(document, numbered))
    for node in bones.findall():
        node.document = None  # or the whole of it would be kept too
    return bones


def _bones(node: nodes.Element, numbered: set[type]) -> list[nodes.Element]:
    kept = []
    for child in node.children:
        below = _bones(child, numbered) if child.children else []
        is_numbered = child.__class__ in numbered
        if not is_numbered and not isinstance(child, _KEPT):
            kept += below
            continue
        bone = child.copy()
        if is_numbered:
            bone.extend(part.deepcopy() for part in child.children if isinstance(part, _TITLES))
            if any(isinstance(part, nodes.literal_block) for part in child.children):
                bone.append(nodes.literal_block())  # by which a listing is known
        bone.extend(below)
        kept.append(bone)
    return kept


def _numbered(env: BuildEnvironment) -> set[type]:
    return {kind for domain in env.domains.values() for kind in domain.enumerable_nodes}


def _skeletons(env: BuildEnvironment) -> dict[str, nodes.Element]:
    if not hasattr(env, "verydeep_skeletons"):
        env.verydeep_skeletons = {}
    return env.verydeep_skeletons


def _keep(app: Sphinx, document: nodes.document) -> None:
    _skeletons(app.env)[app.env.docname] = skeleton(document, _numbered(app.env))


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _skeletons(env).pop(docname, None)


def _lend(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give Sphinx these in place of the pages."""
    env.get_doctree = _skeletons(env).__getitem__
    return []


def _take_back(app: Sphinx, env: BuildEnvironment) -> list[str]:
    del env.get_doctree
    return []


def setup(app: Sphinx) -> None:
    """Register with Sphinx what is kept of each page, and that the pages are numbered by it."""
    app.connect("doctree-read", _keep, priority=900)  # the contents are in it by then
    app.connect("env-purge-doc", _forget)
    app.connect("env-get-updated", _lend, priority=100)
    app.connect("env-get-updated", _take_back, priority=900)
