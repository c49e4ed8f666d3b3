"""What a run needs in memory: its network, its trained weights, its images, what it expects of them, and its device."""

import platform
from dataclasses import replace

import numpy as np
import torch

from verydeep import files, runs
from verydeep.data import sources
from verydeep.data.boxes import Boxes, BoxTargets, read_boxes
from verydeep.data.normaliser import Normaliser
from verydeep.data.store import Store, held_out, open_store
from verydeep.data.views import TrainingViews
from verydeep.errors import VerydeepError
from verydeep.networks import building, weights
from verydeep.networks.initialisation import initialise, transfer_all_but_last, transfer_from_a
from verydeep.networks.network import Network
from verydeep.runs import environment_variables
from verydeep.runs.parts import Device
from verydeep.studies import Run
from verydeep.studies.plan import CONTINUED, NEW_HEAD, TRANSFERRED

#: What a network was trained to take and to give, beside how it is built: under another meaning its weights fit too.
_MEANINGS = ("recipe.unit_variance", "boxes", "localisation.units")


def network(run: Run, classes: int | None = None) -> Network:
    """The network of a run, with torch's default weights, in channels-last layout; of so many classes, if given."""
    net = building.build(
        run.config,
        run.size if classes is None else replace(run.size, num_classes=classes),
        dropout=run.recipe.dropout,
    )
    return net.to(memory_format=torch.channels_last)


def starting_network(run: Run, generator: torch.Generator) -> Network:
    """The network of a run before its first update: drawn at random, then filled from its parent (Sect. 3.1).

    Raises
    ------
    VerydeepError
        When the parent's weights are not those that it was trained to.
    """
    net = network(run)
    initialise(net, run.recipe.initialisation, generator)
    if run.start == TRANSFERRED:
        transfer_from_a(net, load_network(run.parent))
    elif run.start == CONTINUED:
        _load_trained(net, run.parent)
    elif run.start == NEW_HEAD:
        transfer_all_but_last(net, load_network(run.parent))
    net.features.requires_grad_(run.recipe.trained_layers == "all")
    return net


def untrained_network(run: Run, classes: int | None = None) -> Network:
    """The network of a run with random weights by its recipe's scheme, in evaluation mode; of others, He's.

    Its seed is the run's, the numbers are not those that its training began with. It has ``classes`` outputs, or those
    of the run.
    """
    net = network(run, classes)
    scheme = "he" if run.published else run.recipe.initialisation
    initialise(net, scheme, torch.Generator().manual_seed(run.seed))
    return net.eval()


def load_network(run: Run) -> Network:
    """The network of a run from its published weights, in evaluation mode; those of others are downloaded if absent."""
    environment_variables.require_precision()
    net = network(run)
    if run.published:
        weights.obtain(run.published, net, run.weights)
    else:
        _load_trained(net, run)
    return net.eval()


def weights_sha256(run: Run) -> str:
    """The hash of a run's weights; those of others are downloaded if absent.

    Raises
    ------
    VerydeepError
        When they are not here; the message says what to do.
    """
    if not run.weights.exists():
        load_network(run)
    return files.sha256(run.weights)


def _load_trained(net: Network, run: Run) -> None:
    """Load the weights that ``run`` was trained to, and no others that may lie in their place."""
    record = runs.read_record(run, "train")
    if record:
        require_as_recorded(run, record)
    if record and run.weights.exists() and files.sha256(run.weights) != record.weights_sha256:
        raise VerydeepError(
            f"{run.weights}: not the weights that {run.name} was trained to; restore them (git checkout), or delete "
            f"them and train again"
        )
    runs.require_weights(run)
    weights.load_into(net, run.weights)


def require_as_recorded(run: Run, record: runs.TrainRecord) -> None:
    """Refuse a run that its study would now build, or read, otherwise than it was trained.

    Weights fit many networks: what pooling does, or a normalisation, is not in them, nor how pixels were scaled, nor in
    what unit a box's four numbers are.

    Raises
    ------
    VerydeepError
        Naming each key.
    """
    otherwise = runs.trained_otherwise(run, record)
    refused = {key: told for key, told in otherwise.items() if key.startswith("network.") or key in _MEANINGS}
    if told := runs.otherwise_words(refused):
        raise VerydeepError(
            f"{run.address}: was trained otherwise than its study says now ({told}); put the study back, "
            f"or train it again"
        )


def normaliser(run: Run, device="cpu", record: runs.TrainRecord | None = None) -> Normaliser:
    """What the run's network expects of its input: the colours that it was trained with, by the record of its training.

    Or by this ``record`` of it. Whatever lies in the store of its study today, it is not tested with other ones.
    """
    if run.published:
        return Normaliser.published_by(run.published.publisher, device)
    record = record or runs.read_record(run, "train")
    colours = record.data.statistics
    return Normaliser.measured(colours.mean, colours.deviation, run.recipe.unit_variance, device)


def open_data(run: Run) -> Store:
    """The images of the run's study."""
    return open_store(sources.source(run.study.data.source))


def open_boxes(run: Run, store: Store) -> Boxes:
    """The boxes of the images of the run's study; raises as :func:`verydeep.data.boxes.read_boxes`."""
    return read_boxes(sources.source(run.study.data.source), store)


def box_targets(run: Run, store: Store) -> BoxTargets:
    """What a network that gives boxes is asked of a crop; raises as :func:`open_boxes`."""
    options = run.localisation
    return BoxTargets(open_boxes(run, store), options.units, options.cut, options.least_inside, options.several)


def training_rows(run: Run, store: Store, targets: BoxTargets | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the store that a run is trained on, and those held out; with ``targets`` those that have a box."""
    aside = held_out(store.manifest, run.study.data.held_out_per_class)
    rows = np.setdiff1d(store.rows("train"), aside)
    return (rows, aside) if targets is None else (targets.boxes.having(rows), targets.boxes.having(aside))


def training_views(run: Run) -> TrainingViews:
    """How the crops of a run's training images are cut."""
    return TrainingViews(run.study.crop, *run.scale_range, run.recipe.flip, run.recipe.crops == "resized")


def device() -> torch.device:
    """Where this process computes: the GPU where CUDA has one, unless a launch asks for the processor.

    There float32 is computed in float32 from now on (:func:`exact_float32`). Another accelerator (a Mac's) is left
    alone: nobody has seen a training resumed there to the bit.
    """
    exact_float32()
    return torch.device("cuda" if torch.cuda.is_available() and not environment_variables.asks_for_cpu() else "cpu")


def exact_float32() -> None:
    """On a GPU torch's convolutions round float32 to ten bits of mantissa (TF32) unless told not to; ours do not."""
    torch.backends.cudnn.allow_tf32 = False


def device_record(device: torch.device, processes: int = 1) -> Device:
    """Device, threads, instruction set, determinism flags, and the variables on which the last bits depend."""
    return Device(
        type=device.type,
        name=torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        processes=processes,
        threads=torch.get_num_threads(),
        instruction_set=torch.backends.cpu.get_cpu_capability(),
        variables=environment_variables.recorded(),
        deterministic_algorithms=torch.are_deterministic_algorithms_enabled(),
        cuda=torch.version.cuda if device.type == "cuda" else None,
    )
