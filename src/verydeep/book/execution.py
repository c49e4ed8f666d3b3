"""The chapters' notebooks, executed side by side before they are read, and kept for the next build."""

import logging as plain_logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.execute import NotebookClientCache, create_client
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from verydeep import paths
from verydeep.runs import provenance

logger = logging.getLogger(__name__)
_SILENT = plain_logging.getLogger(__name__)  # MyST-NB says the same when it reads the page


#: What each kernel of a chapter has done when it starts.
READY = "verydeep.chapters.ready:ready"


def modules() -> list[str]:
    """What the chapters' notebooks import: every module of ``verydeep.chapters``, by name."""
    sources = sorted((paths.package() / "chapters").rglob("*.py"))
    return [".".join(("verydeep", *path.relative_to(paths.package()).with_suffix("").parts)) for path in sources
            if path.stem != "__init__"]  # fmt: skip


def execute_chapters(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute what is to be read and has not been executed yet, as many notebooks at once as there are cores.

    One that fails is not kept: MyST-NB, which reads them, executes it again and says why it failed.
    """
    cache = get_cache(app.config.nb_execution_cache_path)
    waiting = {path: notebook for path, notebook in _notebooks(env, docnames) if not _is_kept(cache, notebook)}
    if not waiting:
        return
    logger.info("executing %d notebooks", len(waiting))

    def execute(path: Path) -> ExecutionResult:
        config = env.mystnb_config
        return single_nb_execution(waiting[path], str(path.parent), config.execution_timeout, allow_errors=False)

    with ThreadPoolExecutor(provenance.cores()) as threads:
        for path, result in zip(waiting, threads.map(execute, waiting), strict=True):
            if result.err is None:
                executed = CacheBundleIn(result.nb, str(path), data={"execution_seconds": result.time})
                cache.cache_notebook_bundle(executed, check_validity=False, overwrite=True)


def _notebooks(env: BuildEnvironment, docnames: list[str]) -> Iterator[tuple[Path, NotebookNode]]:
    """The notebooks that MyST-NB would look for in its cache, as it reads them."""
    for name in docnames:
        path = Path(env.doc2path(name))
        text = path.read_text(encoding="utf-8")
        if reader := create_nb_reader(str(path), env.myst_config, env.mystnb_config, text):
            notebook = reader.read(text)
            own = notebook.metadata.get(env.mystnb_config.metadata_key, {})
            config = env.mystnb_config.copy(**{key: own[key] for key in ("execution_mode",) if key in own})
            client = create_client(notebook, str(path), config, _SILENT, reader.read_fmt)
            if isinstance(client, NotebookClientCache):
                yield path, notebook


def _is_kept(cache: JupyterCacheAbstract, notebook: NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def setup(app: Sphinx) -> None:
    """Have Sphinx execute the chapters before it reads them."""
    app.connect("env-before-read-docs", execute_chapters)
