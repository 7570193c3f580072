"""Python for notebooks: load a run, translate, look at its attention, try a member of the family (reports: `frames`).

    import seq2seq

    run = seq2seq.load_run("runs/demo/additive/seed-1")
    (translation,) = run.translate("The dog that the child sees sleeps.")
    translation.weights                  # (T, S) array; translation.target and translation.source are its subwords
    translation.draw()                   # an Altair chart of words
    seq2seq.build_attention("additive", query_size=4, memory_size=6)(query, memory).weights
    seq2seq.read_report("runs/demo").buckets    # a pandas data frame

Every object shows itself in Jupyter. Pictures there are static and need no network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, cast

import altair as alt
import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.attention.attention import Attention
from seq2seq.attention.build import build_attention as build_part
from seq2seq.attention.fixed import FixedContext
from seq2seq.attention.keys import AttentionOutput
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.errors import UserError
from seq2seq.config.loading import part_from
from seq2seq.corpus.encoded import EncodedSplit
from seq2seq.corpus.tokenizer import normalise
from seq2seq.models.interface import count_parameters, mean_memory
from seq2seq.models.limits import find_limits
from seq2seq.report.cards import system_card
from seq2seq.report.charts import cells, heat_map, many
from seq2seq.report.drawing import image
from seq2seq.report.palette import Spec
from seq2seq.run.decision import evaluation_device
from seq2seq.run.folder import RunFolder
from seq2seq.run.lines import LineOptions, normalise_line, too_long
from seq2seq.run.reading import Reading, Weights
from seq2seq.run.trained import TrainedRun, find_runs, local_path, read_hypothesis, read_reference
from seq2seq.run.trained import load_run as load_trained
from seq2seq.run.translation import one_line, translate_n_best
from seq2seq.study.frames import StudyReport, read_report, train

__all__ = [
    "Member", "Run", "StudyReport", "Translation", "Translations",
    "build_attention", "draw_attention", "load_run", "load_runs", "read_report", "train",
]  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Translation(Reading):
    """A source, a target and the attention between them: mean over heads, of the last layer, in reading order.

    `source` and `target` list S and T subwords, their ends `</s>` included, or words after `by_words`; `weights` is (T, S), the
    weight of each source subword while each target subword was predicted, and None for a fixed context.
    """

    text: str
    """The target as text."""
    score: float | None = None
    """Log-probability in nats over the length penalty; None for a target that was given."""
    truncated: bool = False
    """The search met the length limit before the end of the sentence."""

    def draw(self, *, by_words: bool = True) -> alt.TopLevelMixin:
        """Return the heat map as an Altair chart, columns source, rows target; a `UserError` if there are no weights."""
        shown = self.by_words() if by_words else self
        if shown.weights is None:
            raise UserError("this system attends to no token: it has a fixed context, or a model without weights")
        return draw_attention(shown.weights, shown.source, shown.target)

    def __repr__(self) -> str:
        return f"<Translation {self.text!r}>"

    def _repr_html_(self) -> str:
        words = self.by_words()
        cut = " <em>(cut at the length limit)</em>" if self.truncated else ""
        weights = "" if words.weights is None else image(_map(words.weights, words.source, words.target), self.text)
        return f"<p>{escape(self.text)}{cut}</p>{weights}"


def _translation(text: str, reading: Reading, **found: Any) -> Translation:
    return Translation(reading.source, reading.target, reading.weights if reading.attends else None, text=text, **found)


class Translations(list[Translation]):
    """A list of translations that Jupyter shows one below the other."""

    def _repr_html_(self) -> str:
        return "".join(translation._repr_html_() for translation in self)


@dataclass(frozen=True, eq=False)
class Run:
    """A trained run that can be asked; `trained.model`, on `device`, is a `torch.nn.Module`."""

    trained: TrainedRun
    device: torch.device

    @property
    def name(self) -> str:
        """System and seed."""
        return self.trained.folder.name

    def translate(
        self,
        lines: str | Sequence[str],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
        n_best: int = 1,
    ) -> Translations:
        """Translate sentences, or one, as the command `translate` does, and keep the attention.

        Args:
            lines: sentences, or one.
            beam: hypotheses kept a sentence, >= n_best; None takes the run's setting.
            length_penalty: exponent alpha; None takes the run's setting.
            max_length: subwords of a translation, at most; None takes the run's ratio to the source.
            n_best: translations of each sentence, the best first.

        Raises:
            UserError: a sentence is empty, longer than the model can take or than 100,000 characters, or n_best is not 1 to
                the beam.
        """
        run, options = self.trained, LineOptions(beam, length_penalty, max_length, n_best)
        search = options.search(run.settings.search)
        split = self._encoded([lines] if isinstance(lines, str) else lines)
        found = translate_n_best(run.model, split, run.target_tokenizer, search, need_weights=True, n_best=n_best)
        return Translations(
            _translation(
                one_line(each.text),
                read_hypothesis(run, split, index, each.hypothesis),
                score=each.hypothesis.score,
                truncated=each.hypothesis.truncated,
            )
            for index, best in enumerate(found)
            for each in best
        )

    def attend(self, source: str, target: str) -> Translation:
        """Return the attention while a given target is fed (teacher forcing); a `UserError` for a source empty or too long."""
        split, run = self._encoded([source], [target]), self.trained
        reading = read_reference(run.model, (run.source_tokenizer, run.target_tokenizer), split, 0)
        return _translation(split.target(0), reading)

    def _encoded(self, lines: Sequence[str], targets: Sequence[str] | None = None) -> EncodedSplit:
        run = self.trained
        given = None if targets is None else [normalise(target) for target in targets]
        sources = [normalise_line(line, run) for line in lines]
        for index, why in enumerate(map(run.source_tokenizer.complaint, sources)):
            if why:
                raise UserError(f"sentence {index + 1}: {why}")
        split = run.encode(sources, given)
        limits = find_limits(run.model)
        for index, length in enumerate(split.source_lengths.tolist()):
            if why := too_long(split.source(index), length, limits) if length else "empty":
                raise UserError(f"sentence {index + 1} is {why}")
        return split

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self._facts()['outline']}, {self._facts()['parameters']} parameters>"

    def _facts(self) -> dict[str, str]:
        card, data = system_card(self.trained.settings.model_dump(mode="json")), self.trained.settings.data
        return {
            "formula": card.formula,
            "source": card.source,
            "outline": card.outline,
            "parameters": f"{sum(count_parameters(self.trained.model).values()):,}",
            "corpus": f"{data.corpus}, {data.source} to {data.target}",
            "parameters of": self.trained.weights or "nothing trained",
        }

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in self._facts().items())
        return f"<table><caption>{escape(self.name)}</caption>{rows}</table>"


def load_run(path: str | Path, *, device: str | None = None, allow_code: bool = False) -> Run:
    """Load a trained run; needs nothing but its folder.

    Args:
        path: its folder, such as `runs/demo/additive/seed-1`, or a name on the hub, `hub:OWNER/NAME`.
        device: a torch device name; None takes an accelerator if there is one.
        allow_code: let the run's config import a class of its own; a folder from a stranger could bring any.

    Raises:
        UserError: there is no run, no usable checkpoint, no such device, or a class that is not allowed.
    """
    folder = RunFolder(local_path(path))
    chosen = evaluation_device(folder, device)
    return Run(load_trained(folder, chosen, allow_code=allow_code), chosen)


def load_runs(*paths: str | Path, device: str | None = None, allow_code: bool = False) -> dict[str, Run]:
    """Load several runs, or all under folders, by name: the system, with the seed if there are several; as `load_run`."""
    folders = list({each.path.resolve(): each for path in paths for each in find_runs(local_path(path))}.values())
    seeds = len({folder.seed for folder in folders}) > 1
    runs: dict[str, Run] = {}
    for folder in folders:
        name = folder.name if seeds else folder.system
        runs[str(folder.path) if name in runs else name] = load_run(folder.path, device=device, allow_code=allow_code)
    return runs


class Member(nn.Module):
    """A member of the attention family by itself, outside any model; `part.score` holds the parameters of the comparison."""

    def __init__(self, settings: AttentionSettings, part: Attention | FixedContext) -> None:
        super().__init__()
        self.settings = settings
        self.part = part

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, summary: Tensor | None = None
    ) -> AttentionOutput:
        """Answer queries about a memory.

        Args:
            query: (B, Q, query_size), or (Q, query_size) for one sentence. Queries are decoder steps 0, 1 ... Q - 1: a score
                that reads earlier weights reads those of the queries before.
            memory: (B, S, memory_size), or (S, memory_size).
            mask: (B, S) or (S,), True at real tokens; None: all are.
            summary: (B, memory_size) or (memory_size,), the fixed vector that `none` gives; None: the mean of the memory.

        Returns:
            `context` (B, Q, memory_size) and `weights` (B, H, Q, S); both without B if they were asked without.
        """
        if query.ndim == 2:
            one = self(*(None if each is None else each[None] for each in (query, memory, mask, summary)))
            return AttentionOutput(one.context[0], one.weights[0])
        mask = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device) if mask is None else mask
        keys = self.part.project_keys(memory, mask, mean_memory(memory, mask).summary if summary is None else summary)
        if not self.part.reads_past:
            answer: AttentionOutput = self.part(query, keys)
            return AttentionOutput(answer.context, answer.weights)
        past, steps = None, []
        for step in range(query.shape[1]):
            positions = torch.tensor([step], device=query.device)
            steps.append(self.part(query[:, step : step + 1], keys, positions=positions, past=past))
            past = steps[-1].past
        return AttentionOutput(torch.cat([each.context for each in steps], 1), torch.cat([each.weights for each in steps], 2))

    def _repr_html_(self) -> str:
        card = system_card({"model": {"attention": self.settings.model_dump(mode="json")}})
        count = sum(parameter.numel() for parameter in self.parameters())
        return f"<p><code>{escape(card.formula)}</code><br>{escape(card.source)}; {count:,} parameters</p>"


def build_attention(score: Any = "additive", *, query_size: int, memory_size: int, **settings: Any) -> Member:
    """Build any member of the attention family, with the settings that a study has under `model.attention`.

    Args:
        score: a score or fixed context, such as `"dot"`, `"none"` or `{"kind": "cosine", "temperature": 0.2}`.
        query_size: features of a query, > 0.
        memory_size: features of the memory, > 0.
        settings: `normaliser`, `window`, `scale`, `heads`, `attention_size`, `dropout`; see docs/attention.md.

    Raises:
        UserError: a setting that does not exist or cannot work, or a size that is not above 0.
    """
    for name, size in (("query_size", query_size), ("memory_size", memory_size)):
        if size < 1:
            raise UserError(f"{name}: at least 1 feature, not {size}")
    chosen = part_from(AttentionSettings, {"score": score, **settings}, "attention")
    return Member(chosen, build_part(chosen, query_size=query_size, memory_size=memory_size, summary_size=memory_size))


def draw_attention(weights: Any, source: Sequence[str], target: Sequence[str], *, title: str = "") -> alt.TopLevelMixin:
    """Draw weights (T, S) from 0 to 1 as the report does, columns source, rows target, `title` above.

    Raises:
        UserError: the names of S and T do not fit the weights.
    """
    array = np.asarray(weights.detach().cpu().double() if isinstance(weights, Tensor) else weights, dtype=np.float64)
    return cast(alt.TopLevelMixin, alt.Chart.from_dict(_map(array, source, target, title)))


def _map(weights: Weights, source: Sequence[str], target: Sequence[str], title: str = "") -> Spec:
    if weights.shape != (len(target), len(source)):
        raise UserError(f"weights of shape {weights.shape} for {len(target)} target and {len(source)} source names")
    return many([heat_map(source, target, title=title)], [cells(weights.tolist())], 1)
