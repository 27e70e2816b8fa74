"""The format of KerasHub's presets, and writing them."""

from __future__ import annotations

from typing import Any

from keras_roberta.checkpoints import keras_hub_models as models
from keras_roberta.checkpoints.hugging_face_labels import classifier_dropout
from keras_roberta.checkpoints.keras_hub_checkpoint import KerasHubPreset
from keras_roberta.checkpoints.preset_kinds import KERAS_HUB
from keras_roberta.checkpoints.protocol import CheckpointFormat, head_layers
from keras_roberta.checkpoints.variable_arrays import as_arrays
from keras_roberta.checkpoints.without_token_types import without_token_types
from keras_roberta.files.json_file import read_json_object
from keras_roberta.tokenizers.keras_hub_files import keras_hub_tokenizer


class KerasHubFormat(CheckpointFormat):
    """Presets for `from_preset` of KerasHub's models of RoBERTa and XLM-R."""

    name = "keras-hub"
    summary = "a preset of KerasHub's RoBERTa or XLM-R"
    only_float32 = True
    files = ("*.json", "*.weights.h5", "assets/tokenizer/*")
    parts = frozenset(
        {
            *("task.json", "task.weights.h5", "preprocessor.json", "tokenizer.json"),
            *("model.weights.h5", "model.weights.json", "model_[0-9]*.weights.h5"),
            "assets/tokenizer/*",
        }
    )

    def detect(self, directory):
        path = directory / "config.json"
        if not path.exists():
            return False
        name = read_json_object(path, hint="").get("registered_name")
        return isinstance(name, str) and name.partition(">")[0] in KERAS_HUB

    def open(self, directory):
        return KerasHubPreset(self, directory)

    def heads_left_out(self, model):
        kind = _kind_of(model)
        vectors = ["how vectors are made"] if model.hugging_face_files() else []
        return head_layers(model, {} if kind is None else model.head_weights_by_name()) + vectors

    def write(self, model, directory, *, tokenizer=None):
        """See `CheckpointFormat`. All weights are float32."""
        backbone, kind = getattr(model, "backbone", model), _kind_of(model)
        config = backbone.config
        family, theirs_tokenizer = models.FAMILIES[0], None
        if tokenizer is not None:
            family, theirs_tokenizer = keras_hub_tokenizer(tokenizer)
        theirs = models.backbone_of(family, config)
        models.write_encoder(theirs, config, without_token_types(backbone))
        if kind is not None:
            weights = as_arrays(model.head_weights_by_name())
            length = getattr(model.preprocessor, "sequence_length", None)
            arguments = _arguments_of(model, weights) if kind == models.CLASSIFIER else {}
            if theirs_tokenizer is not None:
                arguments["preprocessor"] = models.class_named(f"{family}{kind}Preprocessor")(
                    theirs_tokenizer, sequence_length=length or config.max_sequence_length
                )
            theirs = models.class_named(family + kind)(theirs, **arguments)
            models.write_head(theirs, kind, weights)
        theirs.save_to_preset(str(directory))
        if kind is None and theirs_tokenizer is not None:
            theirs_tokenizer.save_to_preset(str(directory))


def _kind_of(model) -> str | None:
    """What KerasHub calls a model's task; None where it has none such, and for an encoder."""
    head = model.hugging_face
    kinds = {architecture: kind for kind, architecture in models.ARCHITECTURES.items()}
    kind = kinds.get(head.architecture) if head is not None else None
    if kind == models.MASKED_LM and not model.backbone.config.tie_word_embeddings:
        return None  # its output matrix is always the token embedding
    return kind


def _arguments_of(model, weights) -> dict[str, Any]:
    """Those of KerasHub's classifier for one of ours."""
    width, outputs = weights["out/kernel"].shape
    rate = classifier_dropout(model.hugging_face_settings())
    activation = getattr(model, "activation", None)
    if model.hugging_face.problem_type == "multi_label_classification":
        activation = "sigmoid"
    return {
        "num_classes": outputs,
        "hidden_dim": width,
        "dropout": model.backbone.config.dropout if rate is None else rate,
        "activation": activation,
    }
