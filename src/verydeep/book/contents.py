"""The list of all chapters beside a page, made once for the whole book.

The theme makes it anew for each page, which takes longer than all the rest of a page: the contents of every page of the
book are copied for it, and what comes out is read again as HTML. But for where its links begin, and for the marks of
the page that is shown, it is the same on all.
"""

import re
from collections.abc import Callable

from pydata_sphinx_theme.toctree import add_toctree_functions
from sphinx.application import Sphinx
from sphinx.environment.adapters.toctree import global_toctree_for_doc
from sphinx.util.osutil import relative_uri

#: A page at the root that is in no contents.
_NOWHERE = "-"
_TAG = re.compile(r"<(/?)(ul|li|details|a)\b[^>]*>")
_TARGET = re.compile(r'href="([^"]*)"')
_FOREIGN = re.compile(r"[a-z]+:")
_CURRENT = 'class="current reference internal" href="#"'


class Contents:
    """What the theme asks for the contents; it marks in them the page that is shown."""

    def __init__(self):
        self._made: dict[tuple, str] = {}

    def __call__(self, app: Sphinx, pagename, templatename, context, doctree) -> None:
        """Have the theme ask here; called with the context of a page before the theme needs it."""
        add_toctree_functions(app, pagename, templatename, context, doctree)
        make = context["generate_toctree_html"]

        def contents(kind: str, startdepth: int = 1, collapse: bool = True, **asked):
            if kind != "sidebar" or startdepth or collapse:  # not the same on all pages
                return make(kind, startdepth, collapse=collapse, **asked)
            key = tuple(sorted(asked.items()))
            if key not in self._made:
                self._made[key] = self._of_no_page(app, context, make, asked)
            return seen_from(app.builder.get_target_uri(pagename), self._made[key])

        context["generate_toctree_html"] = contents

    @staticmethod
    def _of_no_page(app: Sphinx, context: dict, make: Callable, asked: dict) -> str:
        """The contents with links from the root, without marks."""
        of_page = context["toctree"]
        try:
            context["toctree"] = lambda **options: app.builder.render_partial(
                global_toctree_for_doc(app.env, _NOWHERE, app.builder, **options)
            )["fragment"]
            return str(make("sidebar", 0, collapse=False, **asked))
        finally:
            context["toctree"] = of_page


def seen_from(page: str, contents: str) -> str:
    """The contents as they stand beside a page.

    Parameters
    ----------
    page: its address from the root.
    contents: HTML, with links from the root and no marks.

    Returns
    -------
    str
        HTML with links from the page; its own link, and what this lies in, are marked as the theme does it, and open.
    """
    changed: dict[int, str] = {}
    opened: list[re.Match] = []
    tags = list(_TAG.finditer(contents))
    for k, tag in enumerate(tags):
        if tag[2] != "a":
            if tag[1]:
                opened.pop()
            else:
                opened.append(tag)
        elif not tag[1]:
            target = _TARGET.search(tag[0])[1]
            if target == page:
                changed[tag.start()] = f"<a {_CURRENT}>"
                own = tags[k + 2 : k + 3]  # after the end of the link: what it has below it
                below = [inner for inner in own if inner[2] == "details" and not inner[1]]
                changed |= {opening.start(): _marked(opening) for opening in (*opened, *below)}
            elif not _FOREIGN.match(target):
                changed[tag.start()] = _TARGET.sub(f'href="{relative_uri(page, target)}"', tag[0])
    return _TAG.sub(lambda tag: changed.get(tag.start(), tag[0]), contents)


def _marked(tag: re.Match) -> str:
    """The start of a list, of an item or of what can be opened, where the page that is shown lies in it."""
    if tag[2] == "details":
        return '<details open="open">'
    if tag[2] == "li":
        return re.sub(r"(toctree-l\d+)", r"\1 current active", tag[0], count=1)
    return tag[0].replace('class="', 'class="current ') if "class=" in tag[0] else '<ul class="current">'


def _in_place_of_the_theme(app: Sphinx) -> None:
    """Have the contents made here and by nobody else, before the theme first renders a part of a page."""
    for listener in list(app.events.listeners["html-page-context"]):
        if listener.handler is add_toctree_functions:
            app.disconnect(listener.id)
    app.connect("html-page-context", Contents(), priority=490)


def setup(app: Sphinx) -> None:
    """Register with Sphinx, once the theme is there."""
    app.connect("builder-inited", _in_place_of_the_theme)
