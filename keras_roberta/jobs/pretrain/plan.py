"""What a pre-training run will take, told before it begins."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.config import RobertaConfig
from keras_roberta.data.corpus.shards import Shards
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.device_memory import DeviceMemory
from keras_roberta.jobs.pretrain.options import PretrainingOptions

# Bytes, see `Plan.memory`. What a step keeps for its backward pass was measured on a CPU at the
# size small, with 1,024 and 4,096 tokens at once, of lengths 128 and 512.
_OF_PARAMETER, _OF_PARAMETER_IN_PARTS = 16, 20  # four numbers in float32, or five
_KEPT, _KEPT_WITH_REMAT = 115, 4  # for each token, layer and hidden unit
_OF_ATTENTION = 8  # for each pair of tokens and head: the score and its gradient
_OF_VOCABULARY = 8  # for each logit of a masked token: the same
_OF_PROCESS = 1_500_000_000  # bytes: TensorFlow and its programs


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run in figures.

    Attributes:
        config: the model's.
        options: of the run.
        num_replicas: devices that share a batch.
    """

    config: RobertaConfig
    options: PretrainingOptions
    num_replicas: int = 1

    @classmethod
    def of(cls, options: PretrainingOptions, shards: Shards, num_replicas: int = 1) -> Plan:
        """The plan of a run that starts anew or from a preset.

        Raises:
            InputError: the preset cannot be opened.
        """
        if options.preset is not None:
            config = options.model.of_preset(open_checkpoint(options.preset).config)
        else:
            config = RobertaConfig.named(
                options.size,
                **options.model.fields(),
                vocabulary_size=shards.tokenizer.vocabulary_size,
                max_sequence_length=options.longest_sequence,
            )
        return cls(config, options, num_replicas)

    @property
    def parameters(self) -> int:
        """Of the encoder and the heads of the objectives."""
        config, objectives = self.config, self.options.batches.objectives
        h, e = config.hidden_dim, config.embedding_width
        matrix = 0 if config.tie_word_embeddings else config.vocabulary_size * e
        of_vocabulary = h * e + 3 * e + config.vocabulary_size + matrix
        heads = sum(of_vocabulary if name == "mlm" else h * h + 3 * h + 2 for name in objectives)
        return self.config.encoder_parameters + heads

    @property
    def tokens(self) -> int | None:
        """Tokens that the run will see, padding among them; None where hours alone end it."""
        counts = [] if self.options.tokens is None else [self.options.tokens]
        if self.options.steps is not None:
            start, total = 0.0, 0.0
            for stage in self.options.stages():
                tokens = stage.batches.batch_size * stage.batches.sequence_length
                total += (stage.until - start) * self.options.steps * tokens
                start = stage.until
            counts.append(round(total))
        return min(counts, default=None)

    @property
    def memory(self) -> int:
        """Bytes that a device will need, about: the sum of

        - for each parameter, its weight, its gradient and AdamW's two moments, and the sum of
          gradients where a batch is taken in parts;
        - for each token on the device at once, what the forward pass keeps of every layer. With
          `remat` that is the layers' inputs, and the whole of one layer. In 16 bits it is half;
        - for each masked token, the logits of the vocabulary and their gradients;
        - TensorFlow and its programs.
        """
        options, config = self.options, self.config
        masked = options.batches.mask_rate if "mlm" in options.batches.objectives else 0
        numbers = 1 if options.dtype == "float32" else 2
        stages = options.stages(self.num_replicas)
        largest = 0
        for stage in stages:
            length = stage.batches.sequence_length
            tokens = stage.batches.batch_size // (stage.parts * self.num_replicas) * length
            layer = _KEPT * config.hidden_dim + _OF_ATTENTION * config.num_heads * length
            kept = config.num_layers * layer
            if options.remat:
                kept = config.num_layers * _KEPT_WITH_REMAT * config.hidden_dim + layer
            logits = int(_OF_VOCABULARY * masked * config.vocabulary_size)
            largest = max(largest, tokens * (kept // numbers + logits))
        in_parts = any(stage.parts > 1 for stage in stages)
        of_parameter = _OF_PARAMETER_IN_PARTS if in_parts else _OF_PARAMETER
        return of_parameter * self.parameters + largest + _OF_PROCESS

    def lines(self, memory: DeviceMemory | None) -> list[str]:
        """What is said of the run before it begins."""
        options, config = self.options, self.config
        budget = [] if self.tokens is None else [f"{self.tokens:,} tokens"]
        if options.steps is not None:
            budget.append(f"{options.steps:,} steps")
        if options.hours is not None:
            budget.append(f"{options.hours:g} hours")
        there = "" if memory is None else f" of the {memory}"
        return [
            f"model: {options.size or Path(options.preset).name}, {config.num_layers} layers, "
            f"{config.hidden_dim} wide, {self.parameters:,} parameters",
            f"budget: {' or '.join(budget)}, in batches of up to {options.largest_batch_size:,} "
            f"sequences of up to {options.longest_sequence} tokens",
            f"memory: about {self.memory / 1e9:.1f} GB{there}",
        ]

    def check(self, memory: DeviceMemory | None) -> None:
        """Raises an InputError where the run needs more memory than there is."""
        if memory is None or not self.options.check_memory or self.memory <= memory.num_bytes:
            return
        raise InputError(
            f"the run would take about {self.memory / 1e9:.1f} GB, and {memory.name} has "
            f"{memory.num_bytes / 1e9:.1f}; give {self._way_out(memory.num_bytes)}; or "
            "--no-check-memory to try it"
        )

    def _way_out(self, num_bytes):
        """Options with which the run fits, the mildest first."""
        options, advice = self.options, []
        smaller = self._largest_micro_batch(num_bytes, options)
        if smaller:
            advice.append(f"--micro-batch-size {smaller}")
        elif not options.remat:
            smaller = self._largest_micro_batch(num_bytes, dataclasses.replace(options, remat=True))
            if smaller:
                advice.append(f"--remat --micro-batch-size {smaller}")
        return " or ".join([*advice, "a smaller --size, shorter sequences or a larger device"])

    def _largest_micro_batch(self, num_bytes, options):
        size = options.micro_batch_size
        while size:
            try:
                changed = dataclasses.replace(options, micro_batch_size=size)
                changed.stages(self.num_replicas)
            except InputError:  # the batch does not divide into such parts
                pass
            else:
                if Plan(self.config, changed, self.num_replicas).memory <= num_bytes:
                    return size
            size //= 2
        return None
