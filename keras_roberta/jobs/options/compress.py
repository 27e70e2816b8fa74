"""How the weights of a fine-tuned task are made to pack small."""

import dataclasses
from typing import Any

from keras_roberta.export.compression.rounded_schemes import schemes_with_rounding
from keras_roberta.export.compression.structures import BLOCK_SIZE, STRUCTURES, check_pruning
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.recipes import is_static
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import OptionError, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompressOptions(FinetuneOptions):
    """What the three ways have in common. The preset says what the task is."""

    group = "Compression"

    measured_quantization: str | None = option(
        None,
        "How the .tflite files keep their weights that are made before and after to count what "
        "they hold, and thrown away.",
        choices=lambda: tuple(s.name for s in SCHEMES.values() if not s.needs_calibration),
        shown_default="int8, or what was trained with",
    )

    def check(self):
        super().check()
        if self.lora_rank is not None:
            raise OptionError("lora_rank", ": cannot be combined with compression; leave it out")
        for name in ("mixout", "ema_momentum"):  # neither keeps zeros, nor values that are shared
            if getattr(self, name) is not None:
                raise OptionError(name, ": cannot be combined with compression; leave it out")

    @property
    def measured_scheme(self) -> str:
        """`measured_quantization`, or its default."""
        return self.measured_quantization or "int8"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PruneOptions(CompressOptions):
    """Of `keras-roberta compress prune`; see `export.compression.MagnitudePruning`."""

    group = "Pruning"

    sparsity: float | None = option(
        None,
        "Share of the weights of each matrix that become zero.",
        above=0,
        below=1,
        shown_default="0.5",
    )
    structure: str = option(
        "unstructured",
        "Which weights are zero together: none; blocks; or two of any four that go into one "
        "output, which is a sparsity of a half.",
        choices=STRUCTURES,
    )
    block_size: tuple[int, ...] = option(
        BLOCK_SIZE, "Inputs and outputs of a block, with a comma.", at_least=1
    )
    begin: float = option(
        0.0, "Step of the first zeros, or share of all steps when at most 1.", at_least=0
    )
    end: float = option(
        0.5,
        "Step at which the sparsity is reached, or share of all steps when at most 1. Only epochs "
        "that end later are kept.",
        above=0,
    )
    embeddings: bool = option(False, "Prune the embeddings of tokens, too.")

    def check(self):
        super().check()
        check_pruning(self.asked_sparsity, self.structure, self.block_size, self.begin, self.end)

    @property
    def asked_sparsity(self) -> float | None:
        """`sparsity`, or its default; None where the structure says what it is."""
        if self.sparsity is None and self.structure != "2:4":
            return 0.5
        return self.sparsity

    def arguments(self) -> dict[str, Any]:
        """Of `MagnitudePruning`."""
        names = ("structure", "block_size", "begin", "end", "embeddings")
        return {"sparsity": self.asked_sparsity} | {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterOptions(CompressOptions):
    """Of `keras-roberta compress cluster`; see `export.compression.WeightClustering`."""

    group = "Clustering"

    clusters: int = option(16, "Values that each matrix has.", at_least=2, at_most=256)
    embeddings: bool = option(False, "Cluster the embeddings of tokens, too.")

    def check(self):
        super().check()
        if self.embeddings and self.fgm is not None:
            raise OptionError(
                ("embeddings", "fgm"),
                ": clustered embeddings have the values of their clusters, wherever they are moved "
                "to; give one of both",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class QatOptions(CompressOptions):
    """Of `keras-roberta compress qat`; see `export.compression.QuantizationAwareTraining`."""

    group = "Quantisation"

    quantization: str = option(
        "int8",
        "The scheme of .tflite files whose rounding is trained with.",
        choices=schemes_with_rounding,
    )

    def check(self):
        super().check()
        if self.remat and any(map(is_static, SCHEMES[self.quantization].recipe)):
            raise OptionError(
                "remat", f": does not go with {self.quantization!r}, whose ranges are learnt"
            )

    @property
    def measured_scheme(self) -> str:
        """That which was trained with; int8, which has the same weights, in place of one whose
        files need ranges of activations, since the preset before has none."""
        if self.measured_quantization or SCHEMES[self.quantization].needs_calibration:
            return super().measured_scheme
        return self.quantization
