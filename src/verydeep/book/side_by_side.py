"""Pages read and written side by side: by as many processes as there are cores."""

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.util.parallel import ParallelTasks

from verydeep import results
from verydeep.runs import provenance

#: Each holds what was read so far: more of them cost more memory than they save time.
_MOST = 8
#: Extensions that Jupyter Book loads and that do not say whether pages can be read side by side. They can be: the first
#: numbers sections when all are read, the second is for LaTeX alone.
_SAFE = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")


class Builder(StandaloneHTMLBuilder):
    """Sphinx's builder of HTML, which makes the pages of the sources while it writes the others."""

    _others: ParallelTasks | None = None

    def copy_assets(self) -> None:
        """Copy what pages load; then all is there that the pages of the sources need."""
        super().copy_assets()
        if self.parallel_ok:
            self._others = ParallelTasks(1)
            self._others.add_task(super().gen_pages_from_extensions)

    def gen_pages_from_extensions(self) -> None:
        """Wait for them; what is wrong with one is said here."""
        if self._others:
            self._others.join()
        else:
            super().gen_pages_from_extensions()


def _processes(app: Sphinx, config) -> None:
    """Jupyter Book asks for one process."""
    app.parallel = min(provenance.cores(), _MOST)
    for name in _SAFE:
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True


def _read_records_once(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Read the records before other processes do, which find them in the memory that they share with this one."""
    if len(docnames) > 5 and app.parallel > 1:  # fewer pages are read in this process
        results.read_all()


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.add_builder(Builder, override=True)
    app.connect("config-inited", _processes)
    app.connect("env-before-read-docs", _read_records_once, priority=600)
