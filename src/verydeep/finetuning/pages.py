"""The page about a network for somebody's own images: its errors, right and wrong examples, pictures within."""

import base64
import html
import io

import numpy as np
import pandas as pd
from PIL import Image

from verydeep.data.views import rescale

#: The shorter side of a picture in pixels; of the longer one so many times as much is shown, which a JPEG can hold.
_THUMBNAIL, _LONGEST = 160, 4


def page(tuned, network: str) -> str:
    """The page of a :class:`verydeep.finetuning.own.Tuned`: errors, right and wrong answers."""
    error, low, high = tuned.error
    images = tuned.images
    answers = tuned.answers.assign(row=tuned.answers["image"].map(images.rows))
    right = answers[answers["label"] == answers["said"]].sort_values("probability", ascending=False)
    wrong = answers[answers["label"] != answers["said"]].sort_values("probability", ascending=False)
    lines = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>A network for own images</title>',
        "<style>body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}td,th{padding:.2rem .8rem;"
        "text-align:left}figure{display:inline-block;margin:.4rem;width:11rem;vertical-align:top}"
        "img{width:100%}figcaption{font-size:.85rem}</style>",
        f"<h1>{html.escape(network)}, tuned to {html.escape(images.folder.name)}</h1>",
        f"<p>Error on {len(answers)} images that it never saw: {error:.1f} % (95 % interval {low:.1f} to {high:.1f}).",
        f"Naming one class always would be wrong for {_always(answers):.1f} %.</p>",
        "<table><tr><th>class</th><th>tested</th><th>wrong</th><th>error, 95 % interval</th></tr>",
    ]
    for name, row in tuned.by_class.iterrows():
        lines.append(
            f"<tr><td>{html.escape(str(name))}</td><td>{row['tested']:.0f}</td><td>{row['wrong']:.0f}</td>"
            f"<td>{row['error']:.1f} % ({row['low']:.1f} to {row['high']:.1f})</td></tr>"
        )
    lines.append("</table>")
    for title, part in (("Right, the surest first", right), ("Wrong, the surest first", wrong)):
        lines.append(f"<h2>{title}</h2>")
        lines += [_figure(answer, images, tuned.words) for answer in part.head(12).itertuples()] or ["<p>None.</p>"]
    return "\n".join([*lines, "</html>\n"])


def _always(answers: pd.DataFrame) -> float:
    """The error in percent of naming the commonest class always."""
    return 100 * (1 - answers["label"].value_counts().max() / len(answers))


def _figure(answer, images, words: list[str]) -> str:
    stream = io.BytesIO()
    image = images.image(answer.row)
    longest = _LONGEST * min(image.shape[:2])
    small = rescale(image[:longest, :longest], _THUMBNAIL)
    Image.fromarray(np.ascontiguousarray(small)).save(stream, "JPEG", quality=85)
    said = f"{words[answer.said]}, {100 * answer.probability:.0f} %"
    if answer.label != answer.said:
        said += f"; it is {words[answer.label]}"
    source = base64.b64encode(stream.getvalue()).decode()
    alt = html.escape(f"{answer.image}: called {said}", quote=True)
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" alt="{alt}"><figcaption>{html.escape(said)}</figcaption>'
        "</figure>"
    )
