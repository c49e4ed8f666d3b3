"""Commands that train and test networks: one, several together, or one once more to verify its record."""

import re
from pathlib import Path

import click

from verydeep import files
from verydeep.cli.group import cli, given, machine_options, network_arguments, pixels_option, wait_option
from verydeep.errors import Interrupted, UnknownName, VerydeepError

#: What a picture that ``predict --map`` drew says of itself, and may be drawn over.
_MAPS = "verydeep predict --map"


@cli.command()
@pixels_option
@wait_option
@click.option("--only", type=click.Choice(["train", "evaluate"]), help="Do one of the two.")
@network_arguments
@machine_options
def run(study: str, config: str, train_scale: str, seed: int, variant: str | None, only: str | None, **machine) -> None:
    """Train and evaluate one network, through the notebooks.

    Trains first whatever it starts from.
    Resumes what was interrupted and does nothing for what is done. TRAIN_SCALE is 256, 384 or jitter;
    of the study released, whose weights are others', torchvision or authors.
    """
    from verydeep import notebooks, studies

    asked = studies.find_run(study, config, train_scale, seed, variant)
    _require_taken(machine, (only,) if only else asked.kinds, asked)
    if only:
        notebooks.execute(asked, only, **given(machine))
    else:
        notebooks.execute_run(asked, **given(machine))
    click.echo(f"{asked.name}: done, see {asked.folder}")


def _require_taken(machine: dict, kinds: tuple[str, ...], asked) -> None:
    """Refuse an option for the machine that nothing of what is asked for takes."""
    from verydeep import notebooks

    taken = {name for kind in kinds for name in notebooks.MACHINE[kind]}
    if dropped := [name for name in given(machine) if name not in taken]:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in dropped)
        what = "nothing of it is trained" if "train" not in kinds else "nothing of it is tested"
        raise click.UsageError(f"{options} cannot be given for {asked.address} here: {what}.")


@cli.command()
@pixels_option
@wait_option
@click.option("--only", type=click.Choice(["train", "evaluate"]), help="Do one of the two.")
@network_arguments
@machine_options
@click.pass_context
def localise(context, variant: str | None, **asked) -> None:
    """Train and test one network that gives boxes (Appendix A).

    As "run" does, from the network of the same scale that names classes. The variants are those
    of the study that give boxes, such as scr-fc and pcr-fc; pcr-all by default.
    """
    from verydeep import studies
    from verydeep.studies import recipes

    variant = variant or studies.fusions.PCR_ALL
    spec = studies.load(asked["study"])
    boxes = [name for name, settings in spec.variants.items() if settings.boxes]
    if not boxes:
        raise VerydeepError(f"the study {spec.name} {recipes.localises_nothing_words(spec)}")
    if variant not in boxes:
        raise UnknownName("variant with boxes", variant, boxes)
    context.invoke(run, variant=variant, **asked)


@cli.command()
@wait_option
@network_arguments
@machine_options
def train(study: str, config: str, train_scale: str, seed: int, variant: str | None, **machine) -> None:
    """Train one network without the notebook.

    It is what torchrun and accelerate launch call.
    """
    from verydeep import studies, training

    training.train(studies.find_run(study, config, train_scale, seed, variant), **given(machine))


@cli.command()
@click.argument("members", nargs=-1)
@click.option("--method", show_default="dense", help="dense, multi-crop, both, or boxes.")
@click.option("--table6", metavar="STUDY", help="In place of MEMBERS: every row of Table 6 that a study can fill.")
@click.option("--table9", metavar="STUDY", help="In place of MEMBERS: the row of Table 9 for two networks.")
@pixels_option
@wait_option
def fuse(members: tuple[str, ...], method: str | None, table6: str | None, table9: str | None, **machine) -> None:
    """Test several networks together.

    Their soft-max outputs are averaged, or their boxes merged.

    MEMBERS are evaluated networks as study/config-scale, for example quarter/D-jitter quarter/E-jitter; add -sSEED for
    another seed than 0.
    """
    from verydeep import notebooks, studies

    if sum(map(bool, (members, table6, table9))) != 1:
        raise click.UsageError("give the MEMBERS of one fusion, or --table6 or --table9 and a study.")
    if table := next((number for number, study in ((6, table6), (9, table9)) if study), None):
        if method is not None:
            raise click.UsageError(f"--method is for MEMBERS; the rows of Table {table} say how they are tested.")
        spec = studies.load(table6 or table9)
        fusions = list((studies.table6_fusions if table == 6 else studies.table9_fusions)(spec).values())
        if not fusions:
            raise VerydeepError(f"the study {spec.name} has not the networks for any row of Table {table}")
    else:
        fusions = [studies.find_fusion(list(members), method or "dense")]

    def make(fusion) -> None:
        notebooks.execute(fusion, **given(machine))
        click.echo(f"{fusion.name}: done, see {fusion.folder}")

    _each(fusions, make)


def _each(asked: list, do) -> None:
    """Do something with each that is asked for; what fails of one leaves the others, and is told at the end."""
    failed = []
    for one in asked:
        try:
            do(one)
        except VerydeepError as error:
            if len(asked) == 1 or isinstance(error, Interrupted):
                raise
            failed.append(str(error))
    if failed:
        raise VerydeepError("; ".join(dict.fromkeys(failed)))  # one reason may be that of several


@cli.command()
@click.argument("name")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...", type=click.Path(path_type=Path))
@click.option("--method", default="dense", show_default=True, help="centre-crop, dense, multi-crop or both.")
@click.option("--scales", metavar="Q[+Q...]", help="Test scales, for example 256+384+512; Table 3's by default.")
@click.option("--map", "target", type=click.Path(path_type=Path), help="Draw where the best class is seen: a PNG.")
@click.option("--class", "shown", metavar="NAME", help="Draw this class in place of the best.")
def predict(name: str, pictures: tuple[Path, ...], method: str, scales: str | None, target: Path | None, shown) -> None:
    """Name the five best classes of a picture.

    NAME is study/config-scale, for example narrow/D-256, or the path of a run's folder. The picture is tested as
    validation images are. The map is that of the dense form, whatever the method. NAME may also be a folder that
    "verydeep finetune" wrote, whose network is tested densely.
    """
    from verydeep import assembly, finetuning
    from verydeep.evaluation import prediction, pretrained
    from verydeep.runs import predictions

    if finetuning.is_own(Path(name)):
        if target or shown or scales is not None or method != "dense":
            raise click.UsageError("a network for own images is tested densely at its own scale, without a map.")
        return _predict_own(Path(name), pictures)

    if target and len(pictures) > 1:
        raise click.UsageError("--map draws one PICTURE.")
    if target and (target.suffix.lower() != ".png" or target.resolve() == pictures[0].resolve()):
        raise click.BadParameter(f"{target} is to be written: name a .png that is not PICTURE", param_hint="'--map'")
    if target and target.exists() and not _is_map(target):
        raise VerydeepError(f"{target}: is there already, and no map; name another file, or remove it")
    if shown and not target:
        raise click.UsageError("--class says what --map draws.")
    if scales is not None and not re.fullmatch(r"[0-9]{1,9}(\+[0-9]{1,9})*", scales):
        raise click.BadParameter(f"{scales!r} is no list of scales, as 256+384+512", param_hint="'--scales'")
    asked = tuple(int(scale) for scale in scales.split("+")) if scales else ()
    model = pretrained.pretrained(name, device=assembly.device())
    way = prediction.measurement(model, method, asked)
    for picture in pictures:
        said = prediction.predict(model, picture, way)
        click.echo(f"{files.shown(picture)}: {model.name}, {way.name}")
        for word, probability in said.head(predictions.BEST).items():
            click.echo(f"{100 * probability:6.1f} %  {word}")
        if target:
            _draw(model, picture, shown or said.index[0], way.test_scales, target)
            click.echo(f"{target}: written")


def _predict_own(folder: Path, pictures: tuple[Path, ...]) -> None:
    from verydeep import finetuning
    from verydeep.evaluation import prediction
    from verydeep.runs import predictions

    network = finetuning.load(folder)
    for picture in pictures:
        click.echo(f"{files.shown(picture)}: {network.name}, dense")
        for word, probability in network.predict(prediction.read_picture(picture)).head(predictions.BEST).items():
            click.echo(f"{100 * probability:6.1f} %  {word}")


def _draw(model, picture: Path, name: str, scales: tuple[int, ...], target: Path) -> None:
    """The score map of a class at each of the test scales, as a picture."""
    from verydeep import files
    from verydeep.chapters import figures
    from verydeep.evaluation import prediction

    maps = [prediction.score_map(model, picture, name, scale) for scale in scales]
    titles = [f"Q={score_map.scale}" for score_map in maps]
    images, counted = [score_map.image for score_map in maps], [score_map.counted for score_map in maps]
    drawn = figures.score_maps(
        images, [score_map.probabilities for score_map in maps], counted, titles, f"probability of {name}"
    )
    with files.atomic(target) as part:
        drawn.figure.savefig(part, format="png", dpi=110, metadata={"Software": _MAPS})


def _is_map(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.info.get("Software") == _MAPS
    except OSError:
        return False


@cli.command()
@click.argument("study")
@click.argument("names", nargs=-1, metavar="[RUN]...")
@click.option("--images", type=click.IntRange(1), help="Only so many validation images, spread evenly.")
@click.option("--row", metavar="WAY", help="Of features on other data: the way of describing images.")
def verify(study: str, names: tuple[str, ...], images: int | None, row: str | None) -> None:
    """Test runs anew and compare with the recorded predictions.

    Starts from the weights that are published, or lie in the workspace.
    RUN is a folder below runs/STUDY, for example A-256-s0; by default every tested run that has such weights.
    Of features on other data, as D-jitter-on-caltech101-s0, one number is made again.
    """
    from verydeep import runs, studies
    from verydeep.chapters import display
    from verydeep.evaluation import verification
    from verydeep.studies.names import RunName
    from verydeep.studies.plan import named_run
    from verydeep.studies.transfer import ON
    from verydeep.studies.tuning import TUNED_ON

    if tuned := next((name for name in names if TUNED_ON in name), None):
        raise VerydeepError(f"{tuned}: is trained and not only tested; verydeep finetune makes all of it anew")
    spec, carried = studies.load(study), [name for name in names if ON in name]
    if carried and images:
        raise click.UsageError("--images is for tests on validation images; features are tested on all.")
    if row and not carried:
        raise click.UsageError("--row is for features on other data, as D-jitter-on-caltech101-s0.")
    for asked in [studies.named_transfer(spec, name) for name in carried]:
        table = verification.verify_transfer(asked, row)
        click.echo(f"{asked.name}: agrees with its record")
        units = {"recorded": "%", "again": "%", "difference": "points", "same best class": "%"}
        click.echo(display.text(display.table(table, units=units)).to_string())
    names = tuple(name for name in names if name not in carried)
    if carried and not names:
        return
    if fused := next((name for name in names if "+" in name), None):
        raise VerydeepError(
            f"{fused}: is of several networks; verify these, and verydeep fuse makes it of their passes"
        )
    if names:
        asked = [named_run(f"{study}/{RunName.parse(name, seed=spec.seeds[0])}") for name in names]
    else:
        tested = [run for run in runs.recorded_runs(spec) if runs.read_record(run, "evaluate")]
        asked = [run for run in tested if run.weights_expected]
        left_out = (
            f"{len(tested) - len(asked)} of its {len(tested)} tested runs have weights where they were trained alone"
        )
        if not asked:
            raise VerydeepError(f"the study {study} has no tested run to test anew" + f": {left_out}" * bool(tested))
        if len(asked) < len(tested):
            click.echo(f"{study}: {left_out}, and are left out", err=True)

    def again(run) -> None:
        table = verification.verify(run, images)
        click.echo(f"{run.name}: agrees with its record")
        click.echo(display.text(display.table(table, units={"recorded": "%", "again": "%"})).to_string())

    for run in asked:
        verification.require_verifiable(run)
    _each(asked, again)
