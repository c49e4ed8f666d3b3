"""A study's recipe beside the paper's, setting by setting."""

from verydeep.studies import Recipe, Study
from verydeep.studies.keys import paper_recipe


def recipe_rows(study: Study, train_scale: str, ours: Recipe) -> list[dict]:
    """One row a setting: the paper's value, that of ``ours``, and the study's reason where they differ."""
    papers = paper_recipe(train_scale)
    rows = []
    for key, field in Recipe.model_fields.items():
        mine, printed = getattr(ours, key), getattr(papers, key)
        rows.append(
            {
                "setting": key,
                "meaning": field.description,
                "paper": printed,
                "study": mine,
                "why": study.why.get(key, "") if mine != printed else "",
            }
        )
    return rows


def held_out_words(study: Study) -> str:
    """How many training images a study holds out, in words."""
    count = study.data.held_out_per_class
    return "none held out: it trains nothing" if count is None else f"{count} training images of each class held out"
