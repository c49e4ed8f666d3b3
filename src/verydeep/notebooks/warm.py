"""Kernels that start warm: each is a fork of one process that has already imported what notebooks import.

A kernel of its own for every notebook costs seconds of imports; a fork costs none, and no notebook sees another's
variables. The process that forks has no thread of its own and has run no notebook.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from uuid import uuid4

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Unicode

from verydeep.errors import VerydeepError
from verydeep.notebooks import kernels

#: What every kernel imports, whatever its notebook does.
_OF_KERNELS = ("ipykernel.kernelapp", "ipykernel.zmqshell", "IPython.core.pylabtools", "matplotlib.pyplot")
#: Where a kernel draws: matplotlib asks for it once, when it is imported.
_INLINE = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
_NAME = "verydeep-warm"
_PATIENCE = 20.0  # seconds in which the process that forks ends: it may still import


@contextlib.contextmanager
def own_world(modules: Sequence[str], ready: str = "") -> Iterator[Path]:
    """As :func:`verydeep.notebooks.kernels.own_world`, with kernels that have imported ``modules`` when they start.

    ``ready`` names a function of one of them, ``module:function``, that is called once after the imports: it does what
    every kernel would do anew, and each has in memory what it leaves, a copy of its own. It must start no thread. Where
    it raises, the kernels start without it, and the notebook that does the same says why.

    What the variables of this process say of folders is given to each kernel when it starts. The first kernel waits for
    the imports; a world without kernels costs none.
    """
    with kernels.own_world() as folder:
        address = str(folder / "warm")
        path = folder / "kernels" / kernels.NAME / "kernel.json"
        spec = json.loads(path.read_text())
        spec["metadata"] = {"kernel_provisioner": {"provisioner_name": _NAME, "config": {"address": address}}}
        path.write_text(json.dumps(spec))
        factory = KernelProvisionerFactory.instance()
        factory.provisioners[_NAME] = EntryPoint(_NAME, f"{__name__}:Forked", factory.GROUP_NAME)
        _WORLDS[address] = world = _World(address, modules, ready)
        try:
            yield folder
        finally:
            del _WORLDS[address]
            world.end()


def begin() -> None:
    """Begin with the imports now, beside what this process does until it asks for the first kernel."""
    for world in _WORLDS.values():
        world.begin()


class _World:
    """The process that forks; it listens at ``address``, and who asks before it is warm waits."""

    def __init__(self, address: str, modules: Sequence[str], ready: str):
        self._address, self._modules, self._ready = address, [*_OF_KERNELS, *modules], ready
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self._is_used = False

    def use(self) -> None:
        """Have it listen, since a kernel is wanted now."""
        self._is_used = True
        self.begin()

    def begin(self) -> None:
        """Start the process, which begins with its imports; nothing where it runs already."""
        with self._lock, socket.socket(socket.AF_UNIX) as listening:
            if self._process is not None:
                return
            listening.bind(self._address)
            listening.listen(64)
            asked = f"{listening.fileno()}, {self._modules}, {self._ready!r}"
            code = f"from verydeep.notebooks import warm; warm.serve({asked})"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                env=os.environ | _INLINE,
                stdin=subprocess.PIPE,  # ends when this process does, however that comes
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    def end(self) -> None:
        """End the process: at once where no kernel was asked for, otherwise as soon as it has imported."""
        if self._process is not None:
            self._process.stdin.close()
            if not self._is_used:  # it may import for seconds yet, for nobody
                self._process.kill()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


#: The worlds that this process is in, by the address of their sockets.
_WORLDS: dict[str, _World] = {}


class Forked(LocalProvisioner):
    """What starts and ends such a kernel, for Jupyter; ``address`` is the socket of the process that forks."""

    address = Unicode(config=True)

    async def pre_launch(self, **options) -> dict:
        """Have it listen on sockets of its own beside that address: ports of TCP another process may take first."""
        self.parent.transport, self.parent.ip = "ipc", f"{self.address}-{uuid4().hex[:8]}"
        return await super().pre_launch(**options)

    async def launch_kernel(self, cmd: list[str], **options) -> dict:
        """Ask for a fork that becomes the kernel of a command, ``python -m ipykernel_launcher`` and its arguments."""
        _WORLDS[self.address].use()
        self.cwd = str(options.get("cwd") or Path.cwd())
        self.process = _Kernel(self.address, {"arguments": cmd[3:], "folder": self.cwd, "variables": options["env"]})
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class _Kernel:
    """A forked kernel, as ``subprocess.Popen`` shows a process: its connection is closed when it ends."""

    stdin = stdout = stderr = None

    def __init__(self, address: str, request: dict):
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(address)
        self._connection.sendall(json.dumps(request).encode())
        self._connection.shutdown(socket.SHUT_WR)
        said = self._connection.recv(32)
        if not said:
            raise VerydeepError("the process that forks the kernels of the notebooks ended: what it said stands above")
        self.pid = int(said)

    def poll(self) -> int | None:
        """``None`` while it runs; how it ended is not known, and 0 afterwards."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        """Wait until it has ended; 0, since how it ended is not known."""
        if self.returncode is None:
            with contextlib.suppress(ConnectionError):
                self._connection.recv(1)
            self._connection.close()
            self.returncode = 0
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def serve(listening: int, modules: list[str], ready: str) -> None:
    """Import ``modules`` and call ``ready``, then fork a kernel for every connection to a socket, until standard input
    ends."""
    for module in modules:
        importlib.import_module(module)
    if ready:
        with contextlib.suppress(Exception):  # whatever it is, a notebook that does the same says it
            EntryPoint("ready", ready, "").load()()
    gc.collect()
    gc.freeze()  # a collection in a kernel would copy every page of memory that it shares with the others
    with socket.socket(fileno=listening) as listener:
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if pid := os.fork():
                    connection.sendall(str(pid).encode())
                    _forget_ended()
                    continue
                listener.close()
                return _be_kernel(json.loads(connection.makefile("rb").read()))
    _forget_ended()


def _forget_ended() -> None:
    """Let go of kernels that have ended; what they cost is then counted with this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _be_kernel(request: dict) -> None:
    """Become the kernel that was asked for, until it is told to end."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, sys.stdin.fileno())
    os.close(null)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    # A kernel ends when its parent has; ipykernel asked the environment for it when it was imported.
    arguments = [*request["arguments"], f"--IPKernelApp.parent_handle={os.getppid()}"]
    importlib.import_module("ipykernel.kernelapp").launch_new_instance(argv=arguments)
