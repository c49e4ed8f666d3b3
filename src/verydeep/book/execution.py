"""The chapters' notebooks, executed side by side while other pages are read, and kept for the next build."""

import logging as plain_logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.execute import NotebookClientCache, create_client
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from verydeep import machine, paths

logger = logging.getLogger(__name__)
_SILENT = plain_logging.getLogger(__name__)  # MyST-NB says the same when it reads the page

#: What each kernel of a chapter has done when it starts.
READY = "verydeep.chapters.ready:ready"


def modules() -> list[str]:
    """What the chapters' notebooks import: every module of ``verydeep.chapters``, by name."""
    sources = sorted((paths.package() / "chapters").rglob("*.py"))
    return [".".join(("verydeep", *path.relative_to(paths.package()).with_suffix("").parts)) for path in sources
            if path.stem != "__init__"]  # fmt: skip


class Execution:
    """Executes what is to be read and has not been executed yet, as many notebooks at once as there are cores.

    These pages are read last, each once its notebook is there. One that fails is not kept: MyST-NB, which reads them,
    executes it again and says why it failed.
    """

    def __init__(self):
        self._threads: ThreadPoolExecutor | None = None
        self._executed: dict[str, Future] = {}

    def begin(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Begin with all that must be executed of the pages ``docnames``, and have Sphinx read the others first."""
        cache = get_cache(app.config.nb_execution_cache_path)
        waiting = {
            name: (path, notebook)
            for name, path, notebook in _notebooks(env, docnames)
            if not _is_kept(cache, notebook)
        }
        if not waiting:
            return
        logger.info("executing %d notebooks", len(waiting))
        timeout = env.mystnb_config.execution_timeout
        self._threads = ThreadPoolExecutor(machine.cores())
        for name, (path, notebook) in waiting.items():
            self._executed[name] = self._threads.submit(
                single_nb_execution, notebook, str(path.parent), timeout, allow_errors=False
            )
        docnames.sort(key=lambda name: name in waiting)

    def keep(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Keep the notebook of a page that is read now, once it is executed."""
        if executed := self._executed.pop(docname, None):
            result = executed.result()
            if result.err is None:
                kept = CacheBundleIn(result.nb, app.env.doc2path(docname), data={"execution_seconds": result.time})
                cache = get_cache(app.config.nb_execution_cache_path)
                cache.cache_notebook_bundle(kept, check_validity=False, overwrite=True)

    def end(self, app: Sphinx, env_or_exception: BuildEnvironment | Exception | None) -> None:
        """Begin with no more of them, once all pages are read or the build has failed; other processes come after."""
        if self._threads:
            self._threads.shutdown(cancel_futures=True)


def _notebooks(env: BuildEnvironment, docnames: list[str]) -> Iterator[tuple[str, Path, NotebookNode]]:
    """The notebooks that MyST-NB would look for in its cache, as it reads them, each with its page and file."""
    for name in docnames:
        path = Path(env.doc2path(name))
        text = path.read_text(encoding="utf-8")
        if reader := create_nb_reader(str(path), env.myst_config, env.mystnb_config, text):
            notebook = reader.read(text)
            own = notebook.metadata.get(env.mystnb_config.metadata_key, {})
            config = env.mystnb_config.copy(**{key: own[key] for key in ("execution_mode",) if key in own})
            client = create_client(notebook, str(path), config, _SILENT, reader.read_fmt)
            if isinstance(client, NotebookClientCache):
                yield name, path, notebook


def _is_kept(cache: JupyterCacheAbstract, notebook: NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def setup(app: Sphinx) -> None:
    """Have the chapters executed before Sphinx reads them."""
    execution = Execution()
    app.connect("env-before-read-docs", execution.begin)
    app.connect("source-read", execution.keep)
    app.connect("env-updated", execution.end)
    app.connect("build-finished", execution.end)
