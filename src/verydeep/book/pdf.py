"""The book as one PDF: the chapters of the built book, one after the other, printed by a headless Chromium.

Pages of runs and the reference stay out: they are looked up, not read, and a link to one of them leads to the published
book, where there is one.
"""

import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from html import escape
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import yaml
from bs4 import BeautifulSoup, Tag

from verydeep import files, paths
from verydeep.errors import VerydeepError
from verydeep.results import citation
from verydeep.runs import provenance, publication

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: A page of A4 without its margins, in CSS pixels.
_WIDTH = 658
_LEFT_OUT = ("runs/", "reference/")
#: What a chapter has for the screen alone.
_SCREEN = "script, style, link, button, .headerlink, .sd-summary-chevron-right, .sd-summary-state-marker, .as-pdf"
_STYLES = ("styles/bootstrap.css", "styles/pydata-sphinx-theme.css", "pygments.css", "sphinx-design.min.css",
           "mystnb.*.css", "verydeep.css")  # fmt: skip
_FOOTER = (
    '<div style="width:100%; font:8px sans-serif; color:#555; text-align:center"><span class="pageNumber"></span></div>'
)
#: Tables are made narrower until they fit, at the cost of long cells first, and short ones stay on one page.
_FIT = """width => {
    for (const table of document.querySelectorAll('table')) {
        for (const cell of table.querySelectorAll('td'))
            cell.classList.toggle('long', cell.textContent.length > 60);
        table.classList.toggle('short', table.scrollHeight < 450);
        table.style.zoom = Math.min(1, width / table.scrollWidth);
    }
}"""


class Chapter(NamedTuple):
    """A page of the built book: its name (``results/table3``), title, the part that it is in, and its article."""

    name: str
    title: str
    part: str
    article: Tag

    @property
    def anchor(self) -> str:
        """The name that links within the PDF lead to: ``results.table3``."""
        return self.name.replace("/", ".")


def make(html: Path, target: Path) -> int:
    """Print the chapters of a built book as one PDF.

    Parameters
    ----------
    html
        The built book, ``_build/html``.
    target
        The PDF, which is written as a whole or not at all.

    Returns
    -------
    int
        How many pages it has.

    Raises
    ------
    VerydeepError
        When the book has not been built, or something that prints it is not installed.
    """
    if not (html / "index.html").exists():
        raise VerydeepError(f"{paths.short(html)}: no built book; make book builds it")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise VerydeepError(f"printing the book needs a browser, one of: {', '.join(BROWSERS)}")
    try:
        import pypdfium2
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise VerydeepError(f"printing the book needs {error.name}: pip install -e '.[dev]'") from None
    chapters = list(read(html))
    page_of: dict[str, int] = {}
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(2):  # the first print says on which page a chapter begins, the second has it in its contents
            printed = _print(opened, document(html, chapters, page_of))
            reader = pypdfium2.PdfDocument(printed)
            begins = {chapter.name: begins_on(reader, chapter) for chapter in chapters}
            page_of = {name: place + 1 for name, place in begins.items() if place is not None}
        opened.close()
    with files.atomic(target) as part:
        part.write_bytes(printed)
    return len(reader)


def begins_on(printed, chapter: Chapter) -> int | None:
    """The page of a printed book, a document of pypdfium2, on which a chapter begins, from 0; ``None`` on none."""
    from pypdfium2 import raw

    place = raw.FPDF_GetNamedDestByName(printed, chapter.anchor.encode())
    return raw.FPDFDest_GetDestPageIndex(printed, place) if place else None


def publish(html: Path, pdf: Path, pages: int) -> None:
    """Offer a PDF in a built book: the front page leads to it, in its ``as-pdf``, until the book is built again."""
    shutil.copyfile(pdf, html / pdf.name)
    front = html / "index.html"
    soup = BeautifulSoup(front.read_text(encoding="utf-8"), "html.parser")
    size = f"{pages} pages, {pdf.stat().st_size / 1e6:.0f} MB"
    for place in soup.select("article .as-pdf"):
        place.clear()
        place.append(BeautifulSoup(f' As one file: <a href="{pdf.name}">PDF</a> ({size}).', "html.parser"))
    files.write_text(front, str(soup))


def read(html: Path) -> Iterator[Chapter]:
    """The chapters of a built book in the order of its table of contents, the front page first."""
    contents = yaml.safe_load((paths.book() / "_toc.yml").read_text(encoding="utf-8"))
    parts = contents.get("parts") or [{"caption": "", "chapters": contents.get("chapters", [])}]
    listed = [("", contents["root"])]
    listed += [(part["caption"], entry["file"]) for part in parts for entry in part["chapters"] if "file" in entry]
    names = [name for _, name in listed if not name.startswith(_LEFT_OUT)]
    for part, name in listed:
        if name in names:
            soup = BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
            article = soup.select_one("article.bd-article")
            _prepare(article, name, names, html)
            yield Chapter(name, article.h1.get_text().strip(), part, article)


def _prepare(article: Tag, name: str, names: list[str], html: Path) -> None:
    """Make of an article a chapter of one document: nothing to press, links within the document, all boxes open."""
    for element in article.select(".touch"):
        page = publication.page_url(f"{name}.html")
        where = f'<a href="{escape(page)}">the page of the book</a>' if page else "the page of the book"
        element.replace_with(BeautifulSoup(f"<p>What stands here runs in a browser, on {where}.</p>", "html.parser"))
    for element in article.select(_SCREEN):
        element.decompose()
    for box in article.find_all("details"):
        box["open"] = ""
    for element in article.find_all(id=True):
        element["id"] = _anchor(name, element["id"])
    for image in article.find_all("img"):
        if not re.match(r"\w+:", image["src"]):
            image["src"] = (html / name).parent.joinpath(image["src"]).resolve().as_uri()
        image.attrs.pop("loading", None)
    for link in article.find_all("a", href=True):
        _lead(link, name, names)


def _lead(link: Tag, name: str, names: list[str]) -> None:
    """Turn a link of a page into one within the document, or into an address that can be read on paper."""
    address = link["href"]
    if re.match(r"\w+:", address):
        shown = address.partition("://")[2].rstrip("/")
        if shown.rpartition("doi.org/")[2] not in link.get_text() and not _is_the_paper(address):
            link.insert_after(BeautifulSoup(f' <span class="address">({escape(shown)})</span>', "html.parser"))
        return
    path, _, fragment = address.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else f"{name}.html"
    if target.removesuffix(".html") in names:
        link["href"] = f"#{_anchor(target.removesuffix('.html'), fragment)}"
    elif published := publication.page_url(f"{target}#{fragment}".rstrip("#")):
        link["href"] = published
    else:
        del link["href"]


def _anchor(name: str, fragment: str) -> str:
    return name.replace("/", ".") + (f"--{fragment}" if fragment else "")


def _is_the_paper(address: str) -> bool:
    """Whether a link leads into the paper: what it says, "Section 4.1", finds the place on paper too."""
    return address.startswith("https://arxiv.org/pdf/1409.1556")


def document(html: Path, chapters: list[Chapter], page_of: dict[str, int]) -> str:
    """The whole book as one page of HTML; ``page_of`` has the pages on which chapters begin, once they are known."""
    styles = [path for pattern in _STYLES for path in sorted((html / "_static").glob(pattern))]
    head = [f'<link rel="stylesheet" href="{path.as_uri()}">' for path in styles]
    head.append(f"<style>{resources.files('verydeep.book').joinpath('static/print.css').read_text('utf-8')}</style>")
    body = [_title(chapters), _contents(chapters, page_of)]
    body += [f'<section class="chapter" id="{chapter.anchor}">{chapter.article}</section>' for chapter in chapters]
    opening = '<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">'
    title = f"<title>{escape(chapters[0].title)}</title>"
    return "\n".join([opening, title, *head, "</head><body>", *body, "</body></html>"])


def _title(chapters: list[Chapter]) -> str:
    head = provenance.head()
    lines = [citation.version(), f"commit {head.commit[:10]} of {head.date}" if head.commit else "commit unknown"]
    lines += [publication.book_url() or "", f"printed {date.today().isoformat()}"]
    said = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    authors = escape(", ".join(citation.authors()))
    left_out = "The chapters alone: the pages of runs and the reference of the package are in the book on the screen."
    return (
        f'<header class="title"><h1>{escape(chapters[0].title)}</h1><p class="authors">{authors}</p>'
        f"{said}<p>{left_out}</p><p>Text and figures: CC BY 4.0. Code: MIT.</p></header>"
    )


def _contents(chapters: list[Chapter], page_of: dict[str, int]) -> str:
    lines, part = ['<nav class="toc"><h1>Contents</h1>'], ""
    for chapter in chapters:
        if chapter.part != part:
            part = chapter.part
            lines.append(f"<h2>{escape(part)}</h2>")
        page = page_of.get(chapter.name, "")
        lines.append(f'<p><a href="#{chapter.anchor}"><span>{escape(chapter.title)}</span><span>{page}</span></a></p>')
    return "\n".join([*lines, "</nav>"])


def _print(browser, text: str) -> bytes:
    """A page of HTML as a PDF of A4."""
    page = browser.new_page(viewport={"width": _WIDTH, "height": 930})
    page.emulate_media(media="print", color_scheme="light")
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "book.html"  # a file, so that it may show the files of the book
        part.write_text(text, encoding="utf-8")
        page.goto(part.as_uri())
        page.evaluate(_FIT, _WIDTH)
        printed = page.pdf(
            prefer_css_page_size=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=_FOOTER,
            outline=True,
            tagged=True,
        )
    page.close()
    return printed
