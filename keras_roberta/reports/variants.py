"""One task exported in several quantisations: which file is chosen, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_roberta.reports.contents import Row
from keras_roberta.reports.headings import heading


@dataclasses.dataclass(frozen=True)
class Variant:
    """A quantisation that was tried.

    Attributes:
        name: of its scheme.
        summary: what the scheme does.
        row: what was measured; None where there is no file.
        drop: points of the main score below the reference's; less than 0 where it is above.
        refused: why there is no file, else None.
    """

    name: str
    summary: str
    row: Row | None = None
    drop: float | None = None
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Variant:
        """The inverse of `to_dict`."""
        row = values["row"]
        return cls(**{**values, "row": row if row is None else Row(**row)})


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a file may cost; None is no limit.

    Attributes:
        max_drop: points of the main score below the reference's.
        max_mb: size, 1 MB = 1,000,000 bytes.
        max_ms: median milliseconds of one text.
    """

    max_drop: float | None = None
    max_mb: float | None = None
    max_ms: float | None = None

    def limits(self, score: str) -> dict[str, Limit]:
        """The limits that there are, by the names of the attributes.

        Args:
            score: name of the main score.
        """
        found = {
            "max_drop": Limit(self.max_drop, "loses", f"points of {heading(score)}", _drop),
            "max_mb": Limit(self.max_mb, "has", "MB", lambda variant: variant.row.megabytes),
            "max_ms": Limit(
                self.max_ms, "takes", "ms a text", lambda variant: variant.row.median_ms
            ),
        }
        return {name: limit for name, limit in found.items() if limit.most is not None}

    def meets(self, variant: Variant, score: str) -> bool:
        """Whether a variant has a file, and that is within all limits."""
        return variant.row is not None and all(
            limit.is_kept(variant) for limit in self.limits(score).values()
        )


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limit of a budget.

    Attributes:
        most: the largest value allowed.
        verb, unit: what is said before and behind a value.
        value: gives that of a variant with a file.
    """

    most: float
    verb: str
    unit: str
    value: Callable[[Variant], float]

    def is_kept(self, variant: Variant) -> bool:
        return self.value(variant) <= self.most

    def found(self, variant: Variant) -> str:
        """What a variant has, such as "has 31.2 MB"."""
        return f"{self.verb} {self.value(variant):.2f} {self.unit}"

    def demand(self) -> str:
        """What is asked for, such as "has at most 40 MB"."""
        return f"{self.verb} at most {self.most:g} {self.unit}"


def _drop(variant: Variant) -> float:
    return max(variant.drop, 0.0)


@dataclasses.dataclass(frozen=True)
class Search:
    """All that was tried.

    Attributes:
        title: what was exported and measured on what.
        score: name of the main score.
        points: how many points one of it is: 100 of a share, 1 of percent.
        reference: the task in Keras.
        variants: in the order in which they were tried.
        budget: what they may cost.
        signatures: milliseconds by the signatures of the chosen file.
        operators: an `OperatorTime` as a dict for each kind of operation of its longest signature.
        facts: more for the report, as JSON can hold it.
    """

    title: str
    score: str
    points: float
    reference: Row
    variants: Sequence[Variant]
    budget: Budget
    signatures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    operators: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def chosen(self) -> Variant | None:
        """Of the files within all limits the smallest, where the loss has a limit; otherwise the
        one with the best score, of several as good the smallest."""
        fit = [one for one in self.variants if self.budget.meets(one, self.score)]
        if self.budget.max_drop is None:
            return min(fit, key=lambda one: (one.drop, one.row.megabytes), default=None)
        return min(fit, key=lambda one: one.row.megabytes, default=None)

    @property
    def frontier(self) -> list[Variant]:
        """The files of which no other is smaller and as good, from small to large."""
        found: list[Variant] = []
        measured = [one for one in self.variants if one.row is not None]
        for one in sorted(measured, key=lambda one: (one.row.megabytes, one.drop)):
            if not found or one.drop < found[-1].drop:
                found.append(one)
        return found

    @property
    def reason(self) -> str:
        """Why the chosen one is chosen, or which limit cannot be met."""
        limits = self.budget.limits(self.score)
        chosen = self.chosen
        if chosen is None:
            return " ".join(["No file is within all limits.", *map(self._alone, limits.values())])
        best = "the smallest file that" if "max_drop" in limits else "the best file that"
        demands = " and ".join(limit.demand() for limit in limits.values())
        said = [f"{chosen.name} is {best} {demands}."]
        for one in self.variants:
            if one is chosen or one.row is None or one.row.megabytes > chosen.row.megabytes:
                continue
            missed = [limit.found(one) for limit in limits.values() if not limit.is_kept(one)]
            if missed:
                said.append(f"{one.name} {' and '.join(missed)}.")
        return " ".join(said)

    def _alone(self, limit: Limit) -> str:
        """Who keeps a limit, or comes next to it."""
        measured = [one for one in self.variants if one.row is not None]
        if not measured:
            return ""
        kept = [one for one in measured if limit.is_kept(one)]
        if not kept:
            nearest = min(measured, key=limit.value)
            found = limit.found(nearest)
            return f"No file {limit.demand()}; the closest is {nearest.name}, which {found}."
        names = ", ".join(one.name for one in kept)
        return f"A file that {limit.demand()}: {names}."

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        chosen = self.chosen
        return {
            "title": self.title,
            "score": self.score,
            "budget": dataclasses.asdict(self.budget),
            "chosen": chosen and chosen.name,
            "reason": self.reason,
            "reference": dataclasses.asdict(self.reference),
            "variants": [one.to_dict() for one in self.variants],
            "frontier": [one.name for one in self.frontier],
            "signatures": dict(self.signatures),
            "operators": list(self.operators),
            **self.facts,
        }

    def columns(self) -> list[tuple[str, list[str]]]:
        """The table: heads with a cell for the reference and for each variant."""
        rows = [self.reference, *(one.row for one in self.variants)]
        drops = [None, *(one.drop for one in self.variants)]
        chosen = self.chosen
        marks = ["", *("chosen" if one is chosen else "" for one in self.variants)]
        table = [
            ("", [self.reference.name, *(one.name for one in self.variants)]),
            (
                heading(self.score),
                [_cell(row and row.scores.get(self.score), ".4f") for row in rows],
            ),
            ("points lost", [_cell(drop, ".2f") for drop in drops]),
            ("agreement", [_cell(row and row.agreement, ".3f") for row in rows]),
            ("MB", [_cell(row and row.megabytes, ".2f") for row in rows]),
            ("ms", [_cell(row and row.median_ms, ".2f") for row in rows]),
            ("95% of ms", [_cell(row and row.p95_ms, ".2f") for row in rows]),
            ("", marks),
        ]
        return [column for column in table if any(cell not in ("", "–") for cell in column[1])]


def _cell(value, form):
    return "–" if value is None else format(value, form)
