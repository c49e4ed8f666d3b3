"""The picture of the package: its rooms by floor, and what each touches."""

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from verydeep.chapters.figures.style import BLOCKS, Picture, finished, ink_on, use_style

#: Rooms of tools, which almost every other touches: their arrows would hide the rest.
_TOOLS = {"errors", "files", "paths", "progress", "locks", "machine", "statistics"}


def house(floors: list[list[str]], imports: dict[str, set[str]]) -> Picture:
    """Rooms as boxes, the data's way upwards, an arrow from each room to what it touches.

    Left out are the rooms of tools, and arrows to what a room reaches through another.

    Parameters
    ----------
    floors
        The rooms by floor, the lowest first.
    imports
        Room -> the rooms that it touches.
    """
    use_style()
    shown = [[room for room in floor if room not in _TOOLS] for floor in floors]
    shown = [floor for floor in shown if floor]
    figure, axes = plt.subplots(figsize=(8.6, 0.78 * len(shown)), layout="constrained")
    places = {}
    for height, floor in enumerate(shown):
        for k, room in enumerate(floor):
            places[room] = (2.5 * (k - (len(floor) - 1) / 2), height)
    reached: dict[str, set[str]] = {}
    for floor in floors:
        for room in floor:
            reached[room] = set().union(*(reached[touched] for touched in imports[room]))
            for touched in sorted((imports[room] - reached[room]) & set(places)) if room in places else ():
                (x, y), to = places[room], places[touched]
                arrow = {"arrowstyle": "-|>", "color": "#9aa3af", "linewidth": 1.2}
                axes.annotate("", (to[0], to[1] + 0.27), (x, y - 0.27), arrowprops=arrow, zorder=1)
            reached[room] |= imports[room]
    for room, (x, y) in places.items():
        colour = BLOCKS[y * len(BLOCKS) // len(shown)]
        box = FancyBboxPatch((x - 0.8, y - 0.25), 1.6, 0.5, boxstyle="round,pad=0,rounding_size=0.1", facecolor=colour)
        axes.add_patch(box)
        box.set(edgecolor="none", zorder=2)
        axes.text(x, y, room, ha="center", va="center", color=ink_on(colour), fontsize=10, zorder=3)
    axes.set(xlim=(-4.2, 4.2), ylim=(-0.5, len(shown) - 0.5))
    axes.set_axis_off()
    return finished(figure)
