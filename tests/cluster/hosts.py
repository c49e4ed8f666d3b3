"""Several hosts on one machine: each with a name, a network, processes and a ``/run`` of its own, and the same files.

Linux's namespaces, no virtual machine: it takes root, as on a CI machine, and leaves nothing behind, since the kernel
takes a namespace away with its last process.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

#: Addresses that lead nowhere but to these hosts: they are assigned within their namespaces alone.
ADDRESS = "10.77.0.{}"
_PROGRAMS = ("ip", "nsenter", "setpriv", "unshare")


class NotPossible(Exception):
    """This machine cannot have hosts of its own; says why."""


class Host:
    """One of them: what is started on it sees its name, its network and its processes alone.

    ``address`` is that of its network card; ``over`` are files of its own, by the path at which it sees them.
    """

    def __init__(self, name: str, number: int, over: dict[str, Path]):
        self.name, self.address, self.number = name, ADDRESS.format(number), number
        # Its first process. When it ends the kernel ends every other of the host; it ends when this Python does.
        apart = ("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        mounts = [f"mount --bind {shlex.quote(str(mine))} {path}" for path, mine in over.items()]
        # the first process of a host must also bury those whose parents have ended; a shell does when it waits
        forever = "while :; do sleep 3600 & wait $!; done"
        first = "; ".join([f"hostname {name}", "mount -t tmpfs tmpfs /run", *mounts, "echo", forever])
        self.first = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *apart, "sh", "-ec", first],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if not self.first.stdout.readline():
            raise NotPossible(f"no host in namespaces of its own: {self.first.communicate()[1].decode().strip()}")
        self.enter("ip", "link", "set", "lo", "up")

    def command(self, *command: str, folder: Path | None = None) -> list[str]:
        """``command``, as it is started on this host, in ``folder`` or where this process works."""
        spaces = f"/proc/{self.first.pid}/ns"
        inside = {"mount": "mnt", "uts": "uts", "ipc": "ipc", "net": "net", "pid": "pid_for_children"}
        entered = [f"--{option}={spaces}/{name}" for option, name in inside.items()]
        return ["nsenter", *entered, f"--wdns={folder or Path.cwd()}", "--", *command]

    def enter(self, *command: str) -> str:
        """What ``command`` prints on this host; :class:`subprocess.CalledProcessError` when it fails."""
        return subprocess.run(self.command(*command), capture_output=True, text=True, check=True).stdout

    def start(self, *command: str, folder: Path | None = None, **options) -> subprocess.Popen:
        """``command`` on this host, as a process of its own; ``options`` are those of ``Popen``."""
        return subprocess.Popen(self.command(*command, folder=folder), **options)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Those on this host that have one of ``words`` in their command line."""
        space, found = os.readlink(f"/proc/{self.first.pid}/ns/pid_for_children"), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.readlink(f"/proc/{process.pid}/ns/pid") == space:
                    line = " ".join(process.cmdline())
                    found += [process] * any(word in line for word in words)
        return found

    @property
    def alive(self) -> bool:
        return self.first.poll() is None

    def lose(self) -> None:
        """The host goes away without a word, as by a power cut: first its network, then all that runs on it."""
        if self.alive and self.number > 1:
            self.enter("ip", "link", "set", "card", "down")
        self.stop()

    def stop(self) -> None:
        """End every process of the host."""
        self.first.kill()  # with it, by --kill-child, the first process in the namespace, and so all others
        self.first.communicate()


def _join(hosts: list[Host]) -> None:
    """A network card for each host, all on one switch, which is the card of the first."""
    first, *others = hosts
    first.enter("ip", "link", "add", "card", "type", "bridge")
    for host in others:
        cable = ["ip", "link", "add", f"to-{host.name}", "type", "veth", "peer", "name", "card"]
        # from outside, where the other host's process has the number that is known here
        outside = ["nsenter", f"--net=/proc/{first.first.pid}/ns/net", *cable, "netns", str(host.first.pid)]
        subprocess.run(outside, check=True)
        first.enter("ip", "link", "set", f"to-{host.name}", "master", "card", "up")
    for host in hosts:
        host.enter("ip", "address", "add", f"{host.address}/24", "dev", "card")
        host.enter("ip", "link", "set", "card", "up")


def require() -> None:
    """Raise :class:`NotPossible` where namespaces cannot be made."""
    if os.geteuid():
        raise NotPossible("hosts in namespaces of their own need root")
    if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
        raise NotPossible(f"{', '.join(missing)}: no such program; Debian has them in iproute2 and util-linux")


@contextlib.contextmanager
def network(folder: Path, *names: str, over: dict[str, Path] | None = None) -> Iterator[dict[str, Host]]:
    """Within the block there are hosts of these names, which know each other by them; ``folder`` is for their files.

    ``over`` are files or folders that they see at the path which is the key, in place of this machine's.
    Raises :class:`NotPossible`.
    """
    require()
    folder.mkdir(parents=True, exist_ok=True)
    known = [f"{ADDRESS.format(number)} {name}" for number, name in enumerate(names, 1)]
    (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *known]) + "\n")
    hosts: list[Host] = []
    try:
        for number, name in enumerate(names, 1):
            hosts.append(Host(name, number, {"/etc/hosts": folder / "hosts"} | (over or {})))
        _join(hosts)
        yield {host.name: host for host in hosts}
    finally:
        for host in hosts:
            host.stop()


def wait_until(holds, seconds: float, what: str, every: float = 0.2):
    """What ``holds()`` gives once it is true; :class:`TimeoutError` with ``what`` after so many seconds."""
    until = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(every)
    return value
