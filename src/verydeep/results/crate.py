"""A study's runs as a Workflow Run RO-Crate: which files came of which action, for machines that never saw this code.

Profile: https://w3id.org/ro/wfrun/workflow/0.5, on RO-Crate 1.1.
"""

from pathlib import Path

from rocrate.model.computerlanguage import ComputerLanguage
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from verydeep import files, paths, runs
from verydeep.errors import VerydeepError
from verydeep.results import citation
from verydeep.runs import predictions, templates
from verydeep.runs.outputs import OUTPUTS, rests_on
from verydeep.studies import Fusion, Recorded, Study, load

_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
#: What is read of a training, or of a test, by what starts from it.
_READ = {"train": paths.WEIGHTS, "evaluate": predictions.FILE}
# The one term that the crate's own context lacks, spelt out so that nothing has to be fetched to read it.
_CONTEXT = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_MEDIA = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".ipynb": "application/x-ipynb+json",
}


def write_crate(study: str, target: Path) -> Path:
    """Write the crate of every recorded run of ``study`` into the folder ``target``; return it.

    The crate holds the workflow and the notebooks it executes as they are now, the run folders with their seals, and an
    action for each training, test, fusion, transfer and tuning, with its parameters, its files, its time, and the
    commit at which it was done.

    Raises
    ------
    VerydeepError
        When the study has no recorded run, a record does not hold, or the folder exists already.
    StorageError
        When it cannot be written; no part of it is left.
    """
    spec = load(study)
    made = runs.recorded(spec)
    if not made:
        raise VerydeepError(f"the study {study} has no recorded run: there is nothing to write")
    if faults := [fault for run in made for fault in runs.check_folder(run.folder)]:
        raise VerydeepError(f"the records do not hold: {'; '.join(faults)}")
    if target.exists():
        raise VerydeepError(f"{target} exists already; name another folder or remove it")
    with files.atomic_folder(target) as folder:
        _Crate(spec, made).crate.write(folder)
    return target


class _Crate:
    def __init__(self, study: Study, made: list[Recorded]):
        self.study, self.crate = study, ROCrate(gen_preview=False, version="1.1")
        self.crate.metadata.extra_contexts.append(_CONTEXT)
        software = citation.software()
        root = self.crate.root_dataset
        root["name"] = f"{software['title']}: study {study.name}"
        root["description"] = f"{study.title}. {study.purpose}"
        root["license"] = self._thing("https://spdx.org/licenses/CC-BY-4.0", "CreativeWork", "CC BY 4.0")
        root["conformsTo"] = [self._profile(*profile) for profile in _PROFILES]
        self.author = self._thing("#authors", "Organization", " and ".join(citation.authors()))
        root["author"] = self.author
        root["publisher"] = self.author
        root["datePublished"] = max(action_time for run in made for action_time in _finished(run))
        self.workflow = self._workflow(str(software["version"]))
        notebooks = dict(templates.TEMPLATES)
        if study.localises:
            notebooks |= {f"localise: {kind}": path for kind, path in templates.BOX_TEMPLATES.items()}
        shown = {path: kind for kind, path in reversed(notebooks.items())}
        self.workflow["hasPart"] = [self._notebook(kind, path) for path, kind in reversed(shown.items())]
        self.files: dict[Path, object] = {}
        root["mentions"] = [action for run in made for action in self._actions(run)]

    def _thing(self, identity: str, kind: str, name: str, **more) -> ContextEntity:
        return self.crate.add(ContextEntity(self.crate, identity, properties={"@type": kind, "name": name, **more}))

    def _profile(self, address: str, name: str, version: str) -> ContextEntity:
        return self._thing(address, "CreativeWork", name, version=version)

    def _workflow(self, version: str):
        language = ComputerLanguage(
            self.crate,
            "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
            properties={
                "name": "Snakemake",
                "alternateName": "SMK",
                "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
                "url": {"@id": "https://snakemake.readthedocs.io"},
            },
        )
        self.crate.add(language)
        workflow = self.crate.add_workflow(
            paths.root() / "workflow" / "Snakefile",
            "workflow/Snakefile",
            main=True,
            lang=language,
            properties={
                "name": "verydeep",
                "version": version,
                "description": "Trains, tests and fuses the networks",
                "license": self._thing("https://spdx.org/licenses/MIT", "CreativeWork", "MIT"),
            },
        )
        return workflow

    def _notebook(self, kind: str, path: str):
        return self.crate.add_file(
            paths.book() / path,
            f"book/{path}",
            properties={
                "@type": ["File", "SoftwareSourceCode"],
                "name": f"notebook: {kind}",
                "encodingFormat": _MEDIA[".ipynb"],
            },
        )

    def _file(self, folder: Path, name: str, digest: str):
        path = folder / name
        if path not in self.files:
            self.files[path] = self.crate.add_file(
                path,
                f"runs/{self.study.name}/{folder.name}/{name}",
                properties={
                    "name": f"{folder.name}: {name}",
                    "encodingFormat": _MEDIA.get(path.suffix, "text/plain"),
                    "contentSize": str(path.stat().st_size),
                    "sha256": digest,
                },
            )
        return self.files[path]

    def _actions(self, run: Recorded) -> list[ContextEntity]:
        """An action for each record of a run: what went in, what came out, when and how."""
        sums = runs.read_seal(run.folder)
        actions = []
        for kind, outputs in OUTPUTS.items():
            if f"{kind}.json" not in sums:
                continue
            record = runs.read_file(run.folder / f"{kind}.json")
            identity = f"#{kind}-{run.name}"
            action = self._thing(
                identity,
                "CreateAction",
                f"{kind} {run.name}",
                startTime=record.started,
                endTime=record.finished,
                description=f"{templates.command(run, kind)}{_sources(record.sources)}",
                actionStatus="http://schema.org/CompletedActionStatus",
            )
            action["instrument"] = self.workflow
            action["agent"] = self.author
            action["object"] = [*self._parameters(identity, run), *self._inputs(run, kind)]
            action["result"] = [self._file(run.folder, name, sums[name]) for name in outputs if name in sums]
            actions.append(action)
        self._file(run.folder, runs.SEAL, files.sha256(run.folder / runs.SEAL))
        return actions

    def _parameters(self, identity: str, run: Recorded) -> list[ContextEntity]:
        return [
            self._thing(f"{identity}-{name}", "PropertyValue", name, value=str(value))
            for name, value in run.parameters.items()
        ]

    def _inputs(self, run: Recorded, kind: str) -> list:
        """The weights that an action started from or tested, and for boxes the classes that a system named.

        Those of others, and the posteriors that a fusion averages, lie in no folder of a run.
        """
        asked = [(one, of) for one, of in rests_on(run, kind) if of == "train" or not isinstance(run, Fusion)]
        sources = [(one.folder, _READ[of]) for one, of in asked]
        sums = {folder: runs.read_seal(folder) for folder, _ in sources if (folder / runs.SEAL).exists()}
        sealed = [(folder, name) for folder, name in sources if name in sums.get(folder, ())]
        return [self._file(folder, name, sums[folder][name]) for folder, name in sealed]


def _sources(sources: runs.Sources) -> str:
    """By which sources something was done: those of the crate's workflow and notebooks may be newer."""
    commit = f"at commit {sources.commit} of the repository" if sources.commit else "at an unknown commit"
    return f" ({commit}, package sources sha256 {sources.sources_sha256})"


def _finished(run: Recorded) -> list[str]:
    kinds = [kind for kind in OUTPUTS if (run.folder / f"{kind}.json").exists()]
    return [runs.read_file(run.folder / f"{kind}.json").finished for kind in kinds]
