"""What an exported file may cost, of a search for the best quantisation."""

import dataclasses

from keras_roberta.options import OptionError, Options, option
from keras_roberta.reports.variants import Budget

OF_A_SEARCH = ": is for a search among quantizations; give quantization auto"
LIMITS = tuple(field.name for field in dataclasses.fields(Budget))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BudgetOptions(Options):
    """Of `keras_roberta.jobs.export_within_budget` and `keras-roberta export`."""

    group = "Budget, of --quantization auto"

    max_drop: float | None = option(
        None,
        "Points of the main score, such as percent of accuracy, that the file may lose on the dev "
        "data: the smallest file within the limits is taken. Without it the one with the best "
        "score.",
        at_least=0,
    )
    max_mb: float | None = option(None, "Megabytes that the file may have.", above=0)
    max_ms: float | None = option(
        None, "Milliseconds that a text of the dev data may take on this machine.", above=0
    )
    threads: int | None = option(
        None, "Threads that texts are timed with.", at_least=1, shown_default="1"
    )

    def check_asked_for(self) -> None:
        """Raises an OptionError unless there is a limit."""
        if self.budget == Budget():
            raise OptionError(LIMITS, ": quantization auto needs one of these limits at least")

    def check_none_given(self) -> None:
        """Raises an OptionError if there is anything in it."""
        names = [field.name for field in dataclasses.fields(self)]
        self.check_not_given(*names, problem=OF_A_SEARCH)

    @property
    def budget(self) -> Budget:
        """The limits."""
        return Budget(**{name: getattr(self, name) for name in LIMITS})
