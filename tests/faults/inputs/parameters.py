"""Parameters as papermill puts them into a notebook, and arguments of the command line."""

from faults.cases import Entry, case
from faults.world import World
from verydeep import notebooks

_GIVEN = {"study": "smoke", "config": "A", "train_scale": 256, "variant": None, "seed": 0, "processes": 1}


def parameter_case(what: str, says: str, **changes):
    """As papermill puts them into a notebook, which hands its namespace over."""

    @case("parameter", what, rf"error: {says}")
    def add(world: World) -> Entry:
        return lambda: notebooks.requested_run(_GIVEN | changes)


parameter_case("that does not exist", "unknown parameter 'sede'", sede=0)
parameter_case("study that is a path", r"unknown study '\.\./\.\./etc/passwd'", study="../../etc/passwd")
parameter_case("study that is a list", r"unknown study \['smoke'\]", study=["smoke"])
parameter_case("study that is nothing", "unknown study None", study=None)
parameter_case("network that is a command", "unknown config 'A; rm -rf /'", config="A; rm -rf /")
parameter_case("network with a new line", r"unknown config 'A\\n'", config="A\n")
parameter_case("network that is a mapping", "unknown config {'A': 1}", config={"A": 1})
parameter_case("scale that is not the paper's", "unknown train_scale 300", train_scale=300)
parameter_case("scale that is nearly one", "unknown train_scale 256.0", train_scale=256.0)
parameter_case("variant that is a path", "unknown variant '../x'", variant="../x")
parameter_case("variant that is a number", "unknown variant 3", variant=3)
parameter_case("seed below zero", "seed must be a whole number", seed=-1)
parameter_case("seed that is text", "seed must be a whole number", seed="0")
parameter_case("seed that is true", "seed must be a whole number", seed=True)
parameter_case("seed that is not a number", "seed must be a whole number", seed=float("nan"))
parameter_case("seed of a hundred digits", "seed must be a whole number", seed=10**100)
parameter_case("no processes", "processes must be a whole number from 1", processes=0)
parameter_case("half a process", "processes must be a whole number from 1", processes=0.5)
parameter_case("memory below zero", "pixels_per_batch must be a whole number", pixels_per_batch=-5)


def fusion_case(what: str, says: str, members, method="dense"):
    @case("parameter", what, rf"error: {says}")
    def add(world: World) -> Entry:
        return lambda: notebooks.requested_fusion({"members": members, "method": method})


fusion_case("fusion of text", "a fusion is of two or more networks", "smoke/A-256")
fusion_case("fusion of one", "a fusion is of two or more networks", ["smoke/A-256"])
fusion_case("fusion of nothing", "a fusion is of two or more networks", None)
fusion_case("fusion of paths", r"'\.\./x' names no network", ["../x", "smoke/A-256"])
fusion_case("fusion of a network with itself", "A-256-s0 is given twice", ["smoke/A-256", "smoke/A-256"])
fusion_case("fusion by no method", "unknown method 'magic'", ["smoke/A-256", "smoke/D-256"], "magic")


def argument_case(what: str, says: str, *arguments: str):
    @case("parameter", f"command line: {what}", rf"error: {says}")
    def add(world: World) -> Entry:
        return list(arguments)


argument_case("unknown option", "No such option '--sede'", "run", "smoke", "A", "256", "--sede", "1")
argument_case("argument missing", "Missing argument 'TRAIN_SCALE'", "run", "smoke", "A")
argument_case("unknown command", "No such command 'trian'", "trian")
argument_case("unknown data set", "unknown data set '../x'", "data", "get", "../x")
argument_case("unknown number", "unknown number 'smoke.table3.F.top1'", "cite", "smoke.table3.F.top1")
argument_case("seed out of range", "seed must be a whole number", "run", "smoke", "A", "256", "--seed", str(2**70))
