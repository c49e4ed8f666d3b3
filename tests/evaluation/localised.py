"""A network that gives boxes, of A of the smoke study: small enough to be trained within a test."""

from dataclasses import replace

from verydeep import studies


def run(variant: str = "pcr-all", epochs: int = 2, **options) -> studies.Run:
    """A of the smoke study with boxes, ``options`` of localisation beside its own; its parent is the trained A."""
    smoke = studies.load("smoke")
    variants = {
        name: one.model_copy(update={"networks": ["A-256"], "set": one.set | {"epochs": epochs, "warmup_epochs": 0.5}})
        for name, one in smoke.variants.items()
    }
    variants["pcr-again"] = variants["pcr-all"]
    localisation = smoke.localisation.model_copy(update={"classes": "A-256/dense-256"} | options)
    study = smoke.model_copy(update={"variants": variants, "localisation": localisation})
    return replace(studies.find_run("smoke", "A", 256), study=study, variant=variant)
