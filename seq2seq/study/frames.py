"""A study's report as data frames and figures, read where there is one or written by training the study.

Every object shows itself in Jupyter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, cast

import altair as alt

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.report.charts import Figure, on_paper
from seq2seq.report.drawing import image
from seq2seq.report.exhibits import Exhibits
from seq2seq.report.figures import report_figures
from seq2seq.report.page import marked
from seq2seq.report.runs import as_stored
from seq2seq.report.runs import read_report as read_json_report
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import length_table
from seq2seq.report.study import report_study
from seq2seq.report.tables import report_rows
from seq2seq.scoring.results import Comparison
from seq2seq.study.runner import train_study

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class StudyReport:
    """A study's report as data frames, one row a system, a bucket of a system, a comparison ...

    Nested values are columns with dots, such as `comparison.difference`. Scores are in points, lengths in source words; what
    each column means stands in `seq2seq.report.schema` and in docs/report.schema.json.
    """

    report: Report

    @cached_property
    def systems(self) -> "pd.DataFrame":
        """Scores, parameters, training and what length does, a row a system."""
        return self._frame("systems")

    @cached_property
    def buckets(self) -> "pd.DataFrame":
        """Scores by source length, a row a system and bucket; `edges` says which kind of buckets."""
        return self._frame("buckets")

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """A row a training."""
        return self._frame("runs")

    @cached_property
    def comparisons(self) -> "pd.DataFrame":
        """Systems minus baseline, overall and by bucket; no row without a baseline."""
        return self._frame("comparisons", list(Comparison.model_fields))

    @cached_property
    def curves(self) -> "pd.DataFrame":
        """Every validation of every run."""
        return self._frame("learning_curves")

    def _frame(self, name: str, columns: list[str] | None = None) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(report_rows(self.report)[name], columns=columns)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """The report's figures by name; `figures[name].spec` is Vega-Lite. Without heat maps, whose sentences are not in it."""
        return {figure.name: figure for figure in report_figures(self.report, Exhibits())}

    def draw(self, name: str = "bleu_by_length") -> alt.TopLevelMixin:
        """Return a figure as an Altair chart; a `UserError` names those that there are."""
        if name not in self.figures:
            raise UserError(f"no figure named {name!r}; there are {', '.join(self.figures)}")
        return cast(alt.TopLevelMixin, alt.Chart.from_dict(self.figures[name].spec))

    def __repr__(self) -> str:
        return f"<StudyReport {self.report.study}: {', '.join(self.report.systems)}>"

    def _repr_html_(self) -> str:
        table, figure = length_table(self.report), self.figures["bleu_by_length"]
        rows = [[f"<th>{escape(head)}</th>" for head in table.heads]]
        rows += [[f"<td>{escape(str(cell))}</td>" for cell in row] for row in table.rows]
        body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
        return (
            f"<p>{marked(self.report.headline)}</p><table>{body}</table>"
            f"{image(on_paper(figure.spec, figure.caption), figure.title)}"
        )


def read_report(path: str | Path) -> StudyReport:
    """Read a report that `seq2seq report` or `publish` has written; a `UserError` if there is none, or it is damaged.

    `path` is a study's folder such as `runs/demo` or `results/multi30k`, its folder `report`, or a `report.json`, packed
    or not.
    """
    for place in (Path(path), Path(path, "report.json"), Path(path, "report/report.json")):
        if as_stored(place).is_file():
            return StudyReport(read_json_report(place))
    raise UserError(f"{path}: no report here; write one with: seq2seq report {path}")


def train(study: str | Path, *, out: str | Path | None = None, changes: str | Sequence[str] = ()) -> StudyReport:
    """Train a study and write its report, as `seq2seq train STUDY --report` does; finished runs are skipped.

    Args:
        study: a study file, or the name of one that ships.
        out: where runs go; None for `runs/<study>`.
        changes: a setting laid over every system, such as `"training.max_steps=500"`, or several.

    Raises:
        UserError: the study or its corpus cannot be used.
        RunError: some runs failed; the others are finished.
    """
    changes = [changes] if isinstance(changes, str) else list(changes)
    loaded = load_study(study, changes)
    place = Path(out) if out is not None else Path("runs") / loaded.name
    options = [part for change in changes for part in ("--set", change)]
    train_study(loaded, out=place, arguments=["train", str(study), "--out", str(place), *options])
    report_study(place, split=None, retranslate=False, without_text=False, allow_code=True, arguments=["report", str(place)])
    return read_report(place)
