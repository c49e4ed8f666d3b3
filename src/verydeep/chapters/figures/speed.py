"""Pictures of how fast things are."""

import matplotlib.pyplot as plt
import seaborn as sns

from verydeep.chapters.figures.style import Picture, finished, use_style

#: What was measured -> how it is drawn.
MARKERS = {"training": "o", "test, dense": "s", "test, crops": "^", "images, one core": "D"}


def model_against_measured(checks: list) -> Picture:
    """Images a second by the model of cost against those measured, a marker for each of
    :func:`verydeep.chapters.forecast_checks.checks`.

    On the line the model is right; the band is a factor of two to either side. Filled where the model rests on the
    measurement.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    axes.set(xscale="log", yscale="log", xlabel="measured (images/s)", ylabel="by the model (images/s)")
    if not checks:
        axes.text(0.5, 0.5, "no record of a card", ha="center", transform=axes.transAxes)
        return finished(figure)
    rates = [rate for check in checks for rate in (check.measured, check.predicted)]
    ends = [min(rates) / 1.5, max(rates) * 1.5]
    axes.fill_between(ends, [end / 2 for end in ends], [end * 2 for end in ends], color="#dddddd", linewidth=0)
    axes.plot(ends, ends, color="#555555", linewidth=1)
    devices = sorted({check.device for check in checks})
    colours = dict(zip(devices, sns.color_palette("colorblind", len(devices)), strict=True))
    for check in checks:
        colour = colours[check.device]
        face = colour if check.fitted else "none"
        axes.scatter(
            check.measured, check.predicted, s=26, marker=MARKERS[check.kind], facecolors=face, edgecolors=[colour],
            linewidths=1, zorder=3,
        )  # fmt: skip
    shown = [plt.Line2D([], [], color=colours[name], marker="o", linestyle="", label=name) for name in devices]
    figure.legend(handles=shown, frameon=False, fontsize=8, title="device", loc="outside right upper")
    kinds = [plt.Line2D([], [], color="#555555", marker=m, linestyle="", label=kind) for kind, m in MARKERS.items()]
    figure.legend(handles=kinds, frameon=False, fontsize=8, title="what", loc="outside right lower")
    axes.set(xlim=ends, ylim=ends)
    return finished(figure)
