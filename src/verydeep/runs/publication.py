"""Where the book and its repository are published: one setting each, without which nothing pretends to be somewhere.

The book's address is ``$VERYDEEP_BOOK_URL`` or ``html: baseurl:`` of ``_config.yml``, the repository's
``$VERYDEEP_REPOSITORY_URL`` or ``repository: url:``. The workflow that publishes the book sets both variables from its
own context.
"""

import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from verydeep import files, paths
from verydeep.errors import VerydeepError
from verydeep.runs import provenance


def book_url() -> str | None:
    """The book's address without a closing slash, or ``None`` where none is set.

    Raises
    ------
    VerydeepError
        When what is set is no address.
    """
    return _address("VERYDEEP_BOOK_URL", "html", "baseurl")


def repository_url() -> str | None:
    """The repository's address without a closing slash, or ``None`` where none is set.

    Raises
    ------
    VerydeepError
        When what is set is no address.
    """
    return _address("VERYDEEP_REPOSITORY_URL", "repository", "url")


def page_url(page: str) -> str | None:
    """A page of the book by its path below the front page, ``None`` for a book without an address."""
    book = book_url()
    return f"{book}/{page}" if book else None


def commit_url(commit: str) -> str | None:
    """The repository as it was at a commit, ``None`` for a repository without an address."""
    repository = repository_url()
    return f"{repository}/tree/{commit}" if repository else None


def raw_url(path: str) -> str | None:
    """A file of the repository as it is at the head of its main branch, ``None`` for a repository without an address.

    In the form that GitHub, GitLab and Forgejo answer.
    """
    repository = repository_url()
    return f"{repository}/raw/HEAD/{path}" if repository else None


def is_released(version: str) -> bool:
    """Whether the checkout is a version as it was released: the commit with the tag ``v<version>``."""
    return f"v{version}" in provenance.head().tags


def _address(variable: str, group: str, key: str) -> str | None:
    value, said = os.environ.get(variable), f"${variable}"
    if not value and (root := paths.checkout()):
        value, said = (_config(root).get(group) or {}).get(key), f"_config.yml: {group}: {key}"
    if not value:
        return None
    if not _is_address(str(value)):
        shown = re.sub("(?s)^([a-z]*://)?.*@", r"\1...@", str(value))  # a password is not printed
        raise VerydeepError(f"{said}: {shown!r} is no address of a site, write https://HOST/PATH")
    return str(value).rstrip("/")


def _is_address(text: str) -> bool:
    """Whether it is the address of a site: a host, perhaps a port and a path, without a user's name."""
    if not text.isprintable() or " " in text or "\\" in text:  # urlsplit drops line ends and tabs
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets that hold no IPv6 address, a port that is none
        return False
    return parts.scheme in ("http", "https") and bool(host) and not ("@" in parts.netloc or "?" in text or "#" in text)


@cache
def _config(root: Path) -> dict:
    return files.read_yaml(root / "_config.yml")
