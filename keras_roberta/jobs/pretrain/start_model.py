"""The model that a pre-training run starts with: a new one, or a checkpoint's."""

import keras
import numpy as np

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.matching_tokenizer import check_tokenizer
from keras_roberta.config import RobertaConfig
from keras_roberta.data.corpus.shards import Shards
from keras_roberta.data.pretraining.cooccurrence import check_vectors, token_vectors
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.options import PretrainingOptions
from keras_roberta.models.first_values import valued_when_assigned
from keras_roberta.models.kept_layers import copy_layers
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.pretrainer import RobertaPretrainer
from keras_roberta.training.optimizer.pretraining import pretraining_optimizer
from keras_roberta.training.runs.budget import BudgetSchedule
from keras_roberta.training.runs.progress import waiting
from keras_roberta.training.workers.exchange import Exchange

_COUNTED_TOKENS = 20_000_000  # bounds the time and memory of counting


def start_model(options: PretrainingOptions, shards: Shards) -> RobertaPretrainer:
    """A `RobertaPretrainer` after the options, with random weights or those of their preset.

    Args:
        options: of the run.
        shards: what it trains on, whose tokenizer the model has.

    Raises:
        InputError: the preset cannot be read, has another tokenizer than the shards, or fewer
            positions than the sequences are long.
    """
    tokenizer, batches = shards.tokenizer, options.batches
    packed = ("segment_ids",) if batches.packing == "block-diagonal" else ()
    of_backbone = dict(optional_inputs=packed, dtype=options.dtype)
    of_task = dict(
        objectives=batches.objectives,
        loss_weights=options.loss_weights,
        num_choices=batches.num_choices,
        token_labels=shards.token_labels,
        preprocessor=RobertaPretrainer.preprocessor_cls(
            tokenizer, options.longest_sequence, batches.mask_rate or 0.15
        ),
    )
    training = dict(
        dropout=options.dropout,
        attention_dropout=options.dropout,
        seed=options.seed,
        remat=options.remat,
    )
    for name in ("activation_dropout", "layer_drop"):
        if getattr(options, name) is not None:
            training[name] = getattr(options, name)
    if options.preset is None:
        config = RobertaConfig.named(
            options.size,
            **options.model.fields(),
            initializer=options.initializer,
            vocabulary_size=tokenizer.vocabulary_size,
            max_sequence_length=options.longest_sequence,
            start_token_id=tokenizer.start_token_id,
            pad_token_id=tokenizer.pad_token_id,
            end_token_id=tokenizer.end_token_id,
            **training,
        )
        if options.initial_embeddings == "cooccurrence":
            check_vectors(config.vocabulary_size, config.embedding_width)
        return RobertaPretrainer(RobertaBackbone(config, **of_backbone), **of_task)
    source = open_checkpoint(options.preset)
    _check(source, shards, options)
    config = source.config.replace(**training)
    backbone = RobertaBackbone.without_weights(config, **of_backbone)
    with valued_when_assigned(backbone):
        source.load_backbone_weights(backbone)
    if options.model.num_layers is not None:
        whole, config = backbone, config.with_layers(options.model.num_layers)
        backbone = RobertaBackbone.without_weights(config, **of_backbone)
        with valued_when_assigned(backbone):
            copy_layers(whole, backbone)
    return RobertaPretrainer.from_preset(options.preset, backbone=backbone, **of_task)


def compiled_model(
    options: PretrainingOptions, shards: Shards
) -> tuple[RobertaPretrainer, BudgetSchedule]:
    """The model that a run starts with, compiled, and its schedule."""
    keras.utils.set_random_seed(options.seed)
    model = start_model(options, shards)
    peak = options.peak_learning_rate(model.backbone.config.hidden_dim)
    schedule = BudgetSchedule(peak, options.warmup, options.decay_power)
    model.compile(
        pretraining_optimizer(
            schedule,
            weight_decay=options.weight_decay,
            epsilon=options.epsilon,
            clip_norm=options.clip_norm,
        )
    )
    model.optimizer.build(model.trainable_variables)
    return model, schedule


def start_from_cooccurrence(
    backbone: RobertaBackbone, shards: Shards, seed: int, exchange: Exchange
) -> None:
    """Gives an encoder the `token_vectors` of the shards; the chief counts.

    Args:
        exchange: of the run's workers.
    """
    table = np.zeros(backbone.token_embedding.embeddings.shape, np.float32)
    if exchange.rank.is_chief:
        with waiting("counting which tokens stand together"):
            documents = shards.documents(max_tokens=_COUNTED_TOKENS)
            table = token_vectors(documents, *table.shape, seed=seed)
    backbone.token_embedding.embeddings.assign(exchange.of_chief(table))


def _check(source, shards, options):
    tokenizer = source.tokenizer()
    if tokenizer.fingerprint != shards.fingerprint:
        raise InputError(
            f"{options.preset}: has another tokenizer than the shards in {shards.directory}; "
            f"prepare the corpus again with --tokenizer {options.preset}"
        )
    check_tokenizer(tokenizer, source.config, options.preset)
    positions = source.config.max_sequence_length
    if options.longest_sequence > positions:
        raise InputError(
            f"{options.preset}: has positions for {positions} tokens, fewer than a sequence_length "
            f"of {options.longest_sequence}; give at most {positions}, or more positions by "
            "convert --max-sequence-length"
        )
