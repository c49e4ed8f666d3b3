"""What sentences say of the runs: the roles ``result``, ``paper``, ``verdict``, ``held-out`` and ``difference``.

An unknown identity is a warning, which the strict build turns into a failure. In Markdown::

    {result}`quarter.table3.D-384.top1`    a reproduced number, which leads to its run
    {paper}`table3.D-384.top1`             the published one
    {verdict}`quarter.3`                   what a study says of the paper's claim 3, and the difference that says it
    {verdict}`quarter.3 centre-crop`       what it says of the same networks on one crop
    {held-out}`quarter.A-256-pilot-base`   the top-1 error of a network, or a pilot, on the images held out for choices
    {difference}`narrow table3.A-256 table3.D-256`   how much better the second row is than the first
"""

from abc import ABC, abstractmethod

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from verydeep import results, runs
from verydeep.book import lost_text
from verydeep.book.pages.parts import LEARNED
from verydeep.chapters import claim_tables, display
from verydeep.errors import UnknownName, VerydeepError
from verydeep.results import citation, differences
from verydeep.results.claims import Verdict
from verydeep.statistics import error_interval
from verydeep.studies.plan import named_run

#: The studies whose verdicts stand on the page of claims, each in a table ``tab-claims-<study>``.
SHOWN = ("narrow", "quarter")


class BookRole(SphinxRole, ABC):
    """A role of this book; what it prints keeps the source, by which the check of lost text finds it."""

    @abstractmethod
    def show(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The nodes that it prints, and the messages of what is wrong with it."""

    def run(self):
        shown, messages = self.show()
        source = {lost_text.SOURCE: f"{{{self.name}}}`{self.text}`"}
        return [nodes.inline("", "", *shown, **source)] if shown else [], messages

    def _link(self, page: str, hover: str, *shown: nodes.Node, anchor: str = "") -> nodes.reference:
        """A link to another page of the book, and what it says on hovering."""
        address = self.env.app.builder.get_relative_uri(self.env.docname, page) + anchor
        return nodes.reference("", "", *shown, internal=True, refuri=address, reftitle=hover)

    def _number(
        self, text: str = display.NOT_RUN, spread: str = "", *, page: str = "", hover: str = "", anchor: str = ""
    ) -> nodes.inline:
        """A number of ours and what stands behind it, as a link to its page; *not run*, which leads nowhere."""
        shown = [nodes.inline(text, text, classes=["result"])]
        if not page:
            return shown[0]
        if spread:
            shown.append(nodes.inline(spread, spread, classes=["spread"]))
        return nodes.inline("", "", self._link(page, hover, *shown, anchor=anchor), classes=["result-link"])

    def _warn(self, message: str):
        return [], [self.inliner.reporter.warning(message, line=self.lineno)]


class ResultRole(BookRole):
    """A reproduced number with its spread, linked to its place on the run's page; what it is shows on hovering.

    After the identity may stand ``bare`` (the value alone), ``cell`` (the value with its interval, for a table), or
    ``required`` (without a number there is a warning; otherwise it prints *not run*, or *not tested*).
    """

    forms = frozenset({"bare", "cell", "required"})

    def show(self):
        """The number and its link, or the warning that it is unknown, or required and not there."""
        identity, *asked = self.text.split()
        if unknown := sorted(set(asked) - self.forms):
            return self._warn(f"unknown option {unknown[0]!r} of {{result}}: choose of {', '.join(sorted(self.forms))}")
        try:
            number = results.number(identity)
        except VerydeepError as error:
            return self._warn(str(error))
        if number.status != "done":
            if "required" in asked:
                return self._warn(f"{identity}: {number.status}")
            return [self._number(number.status)], []
        text = f"{number.value:.1f}" if number.low is not None else f"{number.value:.3g}"
        alone = number.low is None or "cell" in asked or "bare" in asked
        page, _, anchor = citation.page(number).partition(".html")
        spread = "" if alone else f" {display.spread(number)}"
        shown = [self._number(text, spread, page=page, hover=citation.hover(number), anchor=anchor)]
        if "cell" in asked and number.low is not None:
            interval = f" {number.low:.1f}–{number.high:.1f}"
            shown.append(nodes.inline(interval, interval, classes=["interval"]))
        return shown, []


class PaperRole(BookRole):
    """A number as the paper printed it."""

    def show(self):
        """The number as it is printed, or the warning that the paper has none of that identity."""
        try:
            text = f"{results.paper_number(self.text)}"
        except VerydeepError as error:
            return self._warn(str(error))
        return [nodes.inline(text, text, classes=["paper-number"])], []


class VerdictRole(BookRole):
    """A study's verdict on a claim of the paper or an ablation, with the difference behind it, linked to its table.

    After the claim may stand ``centre-crop``: the verdict on the same networks tested on one crop.
    """

    def show(self):
        """The verdict and its link, or the warning that the claim or the option is unknown."""
        claim, *asked = self.text.split()
        study, _, number = claim.partition(".")
        number = int(number) if number.isascii() and number.isdigit() else number
        try:
            if unknown := sorted(set(asked) - {"centre-crop"}):
                raise VerydeepError(f"unknown option {unknown[0]!r} of {{verdict}}: it has centre-crop")
            verdict = _on_one_crop(study, number) if asked else results.read(study).verdict(number)
        except VerydeepError as error:
            return self._warn(str(error))
        page, anchor = _shown_at(study, number, bool(asked))
        hover = verdict.rule.reads if verdict.rule else "no study tests this claim"
        reference = self._link(page, hover, nodes.inline("", verdict.verdict), anchor=anchor)
        shown = [nodes.inline("", "", reference, classes=["verdict"])]
        if behind := claim_tables.in_parentheses(verdict):
            shown.append(nodes.inline("", f" ({behind})", classes=["interval"]))
        return shown, []


class HeldOutRole(BookRole):
    """The top-1 error of a network, or a pilot, on the images held out from the training set, by which recipes are
    chosen; with its 95 % interval, linked to the run's page. A run that is not recorded prints *not run*."""

    def show(self):
        """The error and its link, or the warning that the study has no such run."""
        try:
            run = named_run(self.text.replace(".", "/", 1), pilots=True)
        except VerydeepError as error:
            return self._warn(str(error))
        record = runs.read_record(run, "train")
        if record is None:
            return [self._number()], []
        error, images = record.metrics.held_out_error("top1"), record.data.held_out.count
        text, spread = f"{error:.1f}", f" {display.spread_of(error, *error_interval(error, images))}"
        hover = (
            f"top-1 error, percent, on the {images:,} images held out from the training set, after "
            f"{record.cost.epochs} epochs; with its 95 % interval; study {run.study.name}, {run.row}, seed {run.seed}"
        )
        return [
            self._number(text, spread, page=f"runs/{run.study.name}/{run.name}", hover=hover, anchor=f"#{LEARNED}")
        ], []


class DifferenceRole(BookRole):
    """How much better the second row of a study is than the first, percentage points, with its 95 % interval.

    The average where several pairs of rows stand there, and *not run* where one of them has not been. Leads to the page
    that says how two numbers are compared.
    """

    def show(self):
        """The difference and its link, or the warning that a row is unknown, or that two cannot be compared."""
        study, *rows = self.text.split()
        try:
            found = differences.between(study, *rows)
        except VerydeepError as error:
            return self._warn(str(error))
        if found is None:
            return [self._number()], []
        value, interval = display.in_points(found.interval, sign="")
        hover = f"{citation.describe_difference(found)}; verydeep compare {study} {' '.join(rows)}"
        return [self._number(value, f" ({interval})", page="cite", hover=hover, anchor="#two-numbers-compared")], []


def _shown_at(study: str, claim: int | str, on_one_crop: bool) -> tuple[str, str]:
    """The page on which a verdict stands in its table, and the table's anchor there, if it has one."""
    if on_one_crop:
        return "results/table3", ""
    if isinstance(claim, str):
        return "results/ablations", ""
    return "results/claims", f"#tab-claims-{study}" if study in SHOWN else ""


def _on_one_crop(study: str, number: int | str) -> Verdict:
    tested = results.read(study).on_one_crop
    if number not in tested:
        raise UnknownName("claim about Table 3", number, list(tested))
    return tested[number][1]


def setup(app: Sphinx) -> None:
    """Register the roles with Sphinx."""
    app.add_role("result", ResultRole())
    app.add_role("paper", PaperRole())
    app.add_role("verdict", VerdictRole())
    app.add_role("held-out", HeldOutRole())
    app.add_role("difference", DifferenceRole())
