"""Pages written side by side: by as many processes as there are cores. One process reads them, in less time."""

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.util.parallel import ParallelTasks

from verydeep import machine

#: One process resolves the pages, one makes those of the sources, the others write.
_MOST = 8


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


def _processes(app: Sphinx, env: BuildEnvironment) -> None:
    """Ask for several once all is read: each that reads would hand over what it has found, which takes longer."""
    app.parallel = min(machine.cores(), _MOST)


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.add_builder(Builder, override=True)
    app.connect("env-updated", _processes)
