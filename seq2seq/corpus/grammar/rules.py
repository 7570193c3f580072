"""Synchronous rules: one list of parts, and the order in which each language writes them.

A rule as data (`data/grammar/*.yaml`), under the symbol that it rewrites:

    np<K>:                                   # K is a variable: a class of things
      singular:
        weight: 3                            # how often, against the other rules of this symbol
        parts:
          article: article number=singular gender=noun.gender case
          noun: noun<K> number=singular case
        gives: number=singular gender=noun.gender
        both: article noun                   # or en: ... and de: ..., or a mapping of field: order

A part is a symbol and the features it is told: `case` hands on the rule's own, `number=singular` is a constant, and
`gender=noun.gender` is what the part `noun` gives. An order lists parts and fields of parts (`verb.finite`); `, ; . ?` are
marks that attach to the word before; `a+b` is contracted where German does so ("in dem" -> "im"); `a@b` is linked as part of b.
A rule may also be the bare name of another symbol, whose rules are then used as if they stood here.
"""

import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from seq2seq.corpus.grammar.forms import Lexeme

LANGUAGES = ("en", "de")
MARK = -1
"""The part number of a punctuation mark in an order; the mark is its field."""
MARKS = (",", ";", ".", "?")
VARIABLE = re.compile(r"\b[A-Z]\b")


class Item(NamedTuple):
    """One place in an order."""

    part: int
    field: str
    owner: int
    """The part that its words are linked as, usually itself."""
    contracted: bool
    """Whether its first word may melt into the word before."""


class Feature(NamedTuple):
    """A feature told to a part, or given by a rule: a constant, or the feature `value` of part `part` (-1: of the rule)."""

    name: str
    value: str
    part: int | None


Orders = Mapping[str, Mapping[str, tuple[Item, ...]]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rule as it is written, with variables."""

    head: tuple[str, ...]  # name of the symbol, then its parameters
    name: str
    weight: float
    per: str  # the weight counts once for each entry of these lexical symbols
    symbols: tuple[str, ...]  # of the parts
    told: tuple[tuple[Feature, ...], ...]  # of the parts
    gives: tuple[Feature, ...]
    orders: Orders
    include: str  # another symbol whose rules stand here


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A pattern without variables; equal only to itself, so that tables can be keyed by it."""

    pattern: Pattern
    symbols: tuple[str, ...]
    weight: float


class Rules:
    """All rules of a grammar, by symbol; variables are filled in when a symbol is first asked for."""

    def __init__(
        self, data: Mapping[str, Any], variables: Mapping[str, Sequence[str]], lexicon: Mapping[str, Sequence[Lexeme]]
    ) -> None:
        self._variables = variables
        self._lexicon = lexicon
        self._patterns: dict[str, list[Pattern]] = {}
        for symbol, rules in data.items():
            for name, body in rules.items():
                pattern = read_pattern(symbol, name, body)
                self._patterns.setdefault(pattern.head[0], []).append(pattern)
        self._known: dict[str, tuple[Rule, ...]] = {}

    def of(self, symbol: str) -> tuple[Rule, ...]:
        """The rules that rewrite a symbol, weights adding up to one."""
        if symbol not in self._known:
            rules = list(self._fill(symbol))
            total = added(rule.weight for rule in rules)
            self._known[symbol] = tuple(Rule(rule.pattern, rule.symbols, rule.weight / total) for rule in rules)
        return self._known[symbol]

    def _fill(self, symbol: str) -> Iterator[Rule]:
        head = split_symbol(symbol)
        if head[0] not in self._patterns:
            raise ValueError(f"the grammar has neither rules nor words for {symbol}")
        for pattern in self._patterns[head[0]]:
            bound = _match(pattern.head, head)
            if bound is None:
                continue
            used = set(VARIABLE.findall(" ".join((*pattern.symbols, pattern.per, pattern.include))))
            free = sorted(used - bound.keys())
            for choice in itertools.product(*(self._variables[name] for name in free)):
                values = bound | dict(zip(free, choice, strict=True))
                weight = pattern.weight
                for counted in _replace(pattern.per, values).split():
                    weight *= len(self._lexicon.get(counted, ()))
                if weight == 0:
                    continue
                if pattern.include:
                    included = self.of(_replace(pattern.include, values))
                    yield from (Rule(rule.pattern, rule.symbols, rule.weight * weight) for rule in included)
                else:
                    yield Rule(pattern, tuple(_replace(part, values) for part in pattern.symbols), weight)


def added(numbers: Iterable[float]) -> float:
    """Add from left to right; the rounding of `sum` differs between Python versions."""
    return reduce(operator.add, numbers, 0.0)


def split_symbol(symbol: str) -> tuple[str, ...]:
    """Read "np<person>" as ("np", "person")."""
    name, _, parameters = symbol.removesuffix(">").partition("<")
    return (name, *(parameters.split(",") if parameters else ()))


def _match(head: tuple[str, ...], symbol: tuple[str, ...]) -> dict[str, str] | None:
    """Bind the variables of a head to a symbol; None if they differ."""
    if len(head) != len(symbol):
        return None
    bound: dict[str, str] = {}
    for wanted, found in zip(head, symbol, strict=True):
        if VARIABLE.fullmatch(wanted):
            if bound.setdefault(wanted, found) != found:
                return None
        elif wanted != found:
            return None
    return bound


def _replace(text: str, values: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda found: values[found.group()], text)


def read_pattern(symbol: str, name: str, body: Any) -> Pattern:
    """Read one rule of the data files."""
    where = f"{symbol} / {name}"
    if isinstance(body, str):
        body = {"include": body}
    unknown = body.keys() - {"weight", "per", "parts", "gives", "both", "en", "de", "include"}
    if unknown:
        raise ValueError(f"{where}: unknown key {sorted(unknown)[0]!r}")
    parts = body.get("parts") or {}
    names = list(parts)
    specs = [spec.split() for spec in parts.values()]
    orders = {language: _read_orders(body.get(language, body.get("both", "")), names, where) for language in LANGUAGES}
    return Pattern(
        head=split_symbol(symbol),
        name=name,
        weight=float(body.get("weight", 1)),
        per=body.get("per", ""),
        symbols=tuple(spec[0] for spec in specs),
        told=tuple(tuple(_read_feature(word, names, where) for word in spec[1:]) for spec in specs),
        gives=tuple(_read_feature(word, names, where) for word in body.get("gives", "").split()),
        orders=orders,
        include=body.get("include", ""),
    )


def _read_feature(word: str, names: list[str], where: str) -> Feature:
    name, equals, value = word.partition("=")
    if not equals:
        return Feature(name, name, -1)
    part, dot, feature = value.partition(".")
    if not dot:
        return Feature(name, value, None)
    return Feature(name, feature, _place(part, names, where))


def _read_orders(orders: str | Mapping[str, str], names: list[str], where: str) -> Mapping[str, tuple[Item, ...]]:
    fields = {"text": orders} if isinstance(orders, str) else orders
    return {field: tuple(_read_items(order or "", names, where)) for field, order in fields.items()}


def _read_items(order: str, names: list[str], where: str) -> Iterator[Item]:
    for word in order.split():
        if word in MARKS:
            yield Item(MARK, word, MARK, False)
            continue
        for place, piece in enumerate(word.split("+")):
            source, _, owner = piece.partition("@")
            part, _, field = source.partition(".")
            yield Item(_place(part, names, where), field or "text", _place(owner or part, names, where), place > 0)


def _place(part: str, names: list[str], where: str) -> int:
    if part not in names:
        raise ValueError(f"{where}: no part is called {part!r}")
    return names.index(part)
