"""How a smaller task learns from a larger one."""

import dataclasses

from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistillOptions(FinetuneOptions):
    """Of `keras_roberta.jobs.distill.distill` and `keras-roberta compress distill`.

    The teacher says what the task is.
    """

    group = "Student"

    unlabelled: str | None = option(
        None,
        "Further rows, without labels: a table as of --train, or a .txt file with a text a line. "
        "The teacher labels them.",
        is_path=True,
    )
    num_layers: int | None = option(
        None, "Layers of the student.", at_least=1, shown_default="half of the teacher's"
    )
    label_weight: float = option(
        0.5, "Weight of the task's own loss, which learns from the labels.", at_least=0
    )
    logit_weight: float = option(
        1.0,
        "Weight of the teacher's outputs; of vectors, whose differences are small, give 100.",
        at_least=0,
    )
    hidden_weight: float = option(
        0.0, "Weight of the teacher's hidden states; more time for each step.", at_least=0
    )
