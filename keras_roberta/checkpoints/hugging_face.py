"""Hugging Face's names and layouts for RoBERTa's weights, and ours.

Theirs are those of `modeling_roberta.py` in Transformers, which XLM-R and CamemBERT share: with
`roberta.` in front where a head was saved along, without it where not; in checkpoints converted
from TensorFlow 1 with `gamma` and `beta` for a layer norm's `weight` and `bias`. A PyTorch
`Linear.weight` is (out, in); our kernels are (in, out), and queries, keys and values share one.
"""

import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from keras_roberta.checkpoints.tensor_files import write_safetensors
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file

MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")
_PREFIX = "roberta."
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


@dataclasses.dataclass(frozen=True)
class Weight:
    """One of our weights and the tensors it is made of.

    Attributes:
        name: ours. One that ends in `/kernel` is the transpose of theirs.
        sources: theirs, without `roberta.`; several are concatenated on our last axis.
        shape: of each source, as Hugging Face stores it; None where it may have any.
    """

    name: str
    sources: tuple[str, ...]
    shape: tuple[int | None, ...]

    def from_sources(self, arrays: list[np.ndarray]) -> np.ndarray:
        if self.name.endswith("/kernel"):
            arrays = [array.T for array in arrays]
        return np.ascontiguousarray(np.concatenate(arrays, axis=-1) if arrays[1:] else arrays[0])

    def to_sources(self, array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        arrays = np.split(array, len(self.sources), axis=-1) if self.sources[1:] else [array]
        for source, part in zip(self.sources, arrays, strict=True):
            yield source, np.ascontiguousarray(part.T if self.name.endswith("/kernel") else part)


def _dense(ours: str, sources: str | Iterable[str], inputs, outputs) -> list[Weight]:
    sources = (sources,) if isinstance(sources, str) else tuple(sources)
    return [
        Weight(f"{ours}/kernel", tuple(f"{s}.weight" for s in sources), (outputs, inputs)),
        Weight(f"{ours}/bias", tuple(f"{s}.bias" for s in sources), (outputs,)),
    ]


def _layer_norm(ours: str, source: str, dim) -> list[Weight]:
    return [
        Weight(f"{ours}/gamma", (f"{source}.weight",), (dim,)),
        Weight(f"{ours}/beta", (f"{source}.bias",), (dim,)),
    ]


def encoder_weights(config: RobertaConfig) -> list[Weight]:
    """All weights of the encoder, in order.

    >>> config = RobertaConfig.named("tiny")
    >>> encoder_weights(config)[5].sources[1], encoder_weights(config)[5].shape
    ('encoder.layer.0.attention.self.key.weight', (128, 128))
    """
    hidden, inner = config.hidden_dim, config.intermediate_dim
    tables = [
        ("token", "word_embeddings", config.vocabulary_size),
        ("position", "position_embeddings", config.num_positions),
        ("token_type", "token_type_embeddings", config.num_token_types),
    ]
    weights = [
        Weight(f"embeddings/{ours}", (f"embeddings.{theirs}.weight",), (rows, hidden))
        for ours, theirs, rows in tables
        if rows
    ]
    weights += _layer_norm("embeddings/layer_norm", "embeddings.LayerNorm", hidden)
    for i in range(config.num_layers):
        ours, theirs = f"encoder/block_{i}", f"encoder.layer.{i}"
        query_key_value = [f"{theirs}.attention.self.{x}" for x in ("query", "key", "value")]
        weights += [
            *_dense(f"{ours}/attention/query_key_value", query_key_value, hidden, hidden),
            *_dense(f"{ours}/attention/output", f"{theirs}.attention.output.dense", hidden, hidden),
            *_layer_norm(
                f"{ours}/attention_layer_norm", f"{theirs}.attention.output.LayerNorm", hidden
            ),
            *_dense(f"{ours}/intermediate", f"{theirs}.intermediate.dense", hidden, inner),
            *_dense(f"{ours}/output", f"{theirs}.output.dense", inner, hidden),
            *_layer_norm(f"{ours}/output_layer_norm", f"{theirs}.output.LayerNorm", hidden),
        ]
    return weights


def classifier_weights(hidden=None, num_classes=None) -> list[Weight]:
    """`RobertaClassificationHead`."""
    return [
        *_dense("dense", "classifier.dense", hidden, hidden),
        *_dense("out", "classifier.out_proj", hidden, num_classes),
    ]


def masked_lm_weights(hidden=None, vocabulary_size=None) -> list[Weight]:
    """`RobertaLMHead` without its output matrix, which is the token embedding."""
    return [
        *_dense("dense", "lm_head.dense", hidden, hidden),
        *_layer_norm("layer_norm", "lm_head.layer_norm", hidden),
        Weight("bias", ("lm_head.bias",), (vocabulary_size,)),
    ]


def linear_head_weights(source: str, hidden=None, outputs=None) -> list[Weight]:
    """A single linear layer: `classifier` (token classification, multiple choice), `qa_outputs`."""
    return _dense("out", source, hidden, outputs)


# Reading


def read_config(directory: str | os.PathLike) -> dict:
    """The content of `config.json`.

    Raises:
        InputError: it is missing or mangled, or of a model that is not RoBERTa's kind.
    """
    path = pathlib.Path(directory) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; is this the directory of a model?") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); download it again") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a JSON object, found a {type(config).__name__}")
    if config.get("model_type") not in MODEL_TYPES:
        raise InputError(
            f"{path}: model_type is {config.get('model_type')!r}; "
            f"supported are {', '.join(MODEL_TYPES)}"
        )
    return config


def load_encoder_weights(
    state: Mapping[str, np.ndarray], config: RobertaConfig
) -> dict[str, np.ndarray]:
    """The encoder's weights by our names.

    Args:
        state: tensors by Hugging Face's names; heads and poolers among them are passed over.
        config: what the shapes must agree with.

    Raises:
        InputError: names the tensors that are missing, the one whose shape does not fit, or those
            of the encoder that the config has no place for.
    """
    prefix = _PREFIX if any(name.startswith(_PREFIX) for name in state) else ""
    weights = encoder_weights(config)
    used: set[str] = set()
    loaded = _load(state, weights, prefix, used)
    left_over = [
        name
        for name in state
        if name.startswith((f"{prefix}embeddings.", f"{prefix}encoder."))
        and name not in used
        and name.removeprefix(prefix) not in _BUFFERS
    ]
    if left_over:
        raise InputError(f"weights that the config has no place for: {_listed(left_over)}")
    return loaded


def load_classifier_head(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """`dense/kernel, dense/bias, out/kernel, out/bias` of a sequence classifier, None without one.

    Raises:
        InputError: part of the head is missing, or its shapes do not fit each other.
    """
    if not any(name.startswith(("classifier.dense.", "classifier.out_proj.")) for name in state):
        return None
    hidden = _dim(state, "classifier.dense.weight")
    num_classes = _dim(state, "classifier.out_proj.weight")
    return _load(state, classifier_weights(hidden, num_classes))


def load_linear_head(state: Mapping[str, np.ndarray], source: str) -> dict[str, np.ndarray] | None:
    """`out/kernel, out/bias` of a head that is one linear layer, None if there is none.

    Args:
        source: "classifier" (token classification, multiple choice) or "qa_outputs".
    """
    if f"{source}.weight" not in state:
        return None
    return _load(state, linear_head_weights(source, None, _dim(state, f"{source}.weight")))


def load_masked_lm_head(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """`dense/kernel, dense/bias, layer_norm/gamma, layer_norm/beta, bias`; None if it has none.

    Raises:
        InputError: part of the head is missing, its shapes do not fit each other, or its output
            matrix is not the token embedding.
    """
    if not any(name.startswith("lm_head.") for name in state):
        return None
    weights = masked_lm_weights(_dim(state, "lm_head.dense.weight"))
    if "lm_head.bias" not in state and "lm_head.decoder.bias" in state:
        weights[-1] = dataclasses.replace(weights[-1], sources=("lm_head.decoder.bias",))
    loaded = _load(state, weights)
    embedding = next(
        (n for n in state if n.removeprefix(_PREFIX) == "embeddings.word_embeddings.weight"), None
    )
    if embedding is not None and "lm_head.decoder.weight" in state:
        if not np.array_equal(state[embedding], state["lm_head.decoder.weight"]):
            raise InputError(
                "lm_head.decoder.weight differs from the token embedding; "
                "only heads that share it are supported"
            )
    return loaded


def _load(state, weights: list[Weight], prefix: str = "", used=None) -> dict[str, np.ndarray]:
    names = {source: _find(state, prefix + source) for w in weights for source in w.sources}
    missing = [prefix + source for source, name in names.items() if name is None]
    if missing:
        raise InputError(f"the checkpoint lacks {_listed(missing)}")
    if used is not None:
        used.update(names.values())
    loaded = {}
    for weight in weights:
        arrays = []
        for source in weight.sources:
            array = state[names[source]]
            if not _fits(array.shape, weight.shape):
                expected = tuple("any" if n is None else n for n in weight.shape)
                raise InputError(
                    f"{names[source]} has the shape {tuple(array.shape)}; expected {expected}"
                )
            arrays.append(array)
        loaded[weight.name] = weight.from_sources(arrays)
    return loaded


def _find(state, name: str) -> str | None:
    """The name under which `state` has a tensor: this one, or an old layer norm's."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )
    return next((candidate for candidate in (name, old) if candidate in state), None)


def _fits(shape, expected) -> bool:
    return len(shape) == len(expected) and all(
        n is None or size == n for size, n in zip(shape, expected, strict=True)
    )


def _dim(state, name: str) -> int | None:
    """Rows of a matrix, None where it is missing or has none; `_load` then says so."""
    shape = state[name].shape if name in state else ()
    return shape[0] if shape else None


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# Writing


def write_checkpoint(
    directory: str | os.PathLike,
    config: RobertaConfig,
    architecture: str,
    weights: Mapping[str, np.ndarray],
    head: Mapping[str, Mapping[str, np.ndarray]],
    settings: Mapping[str, object],
) -> None:
    """Writes `config.json` and `model.safetensors` for Transformers.

    Args:
        directory: where they go.
        config: of the encoder.
        architecture: the class in Transformers, such as "RobertaForMaskedLM".
        weights: the encoder's, by our names.
        head: the other arguments of `to_hugging_face`.
        settings: more entries of `config.json`.
    """
    if not config.num_token_types:  # Transformers always adds one; nothing is a row of zeros.
        config = config.replace(num_token_types=1)
        none = np.zeros((1, config.hidden_dim), np.float32)
        weights = {**weights, "embeddings/token_type": none}
    values = {
        "architectures": [architecture],
        **config.to_hugging_face(),
        "dtype": "float32",
        **settings,
    }
    directory = pathlib.Path(directory)
    with atomic_file(directory / "config.json") as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    write_safetensors(directory / "model.safetensors", to_hugging_face(weights, **head))


def to_hugging_face(
    weights: Mapping[str, np.ndarray],
    classifier: Mapping[str, np.ndarray] | None = None,
    masked_lm: Mapping[str, np.ndarray] | None = None,
    linear: Mapping[str, np.ndarray] | None = None,
    linear_name: str = "classifier",
) -> dict[str, np.ndarray]:
    """Hugging Face's tensors from our weights: the inverse of the loaders.

    Args:
        weights: the encoder's, by our names.
        classifier, masked_lm: a head's weights as its loader gives them.
        linear: those of a single linear layer, saved as `linear_name`.

    Returns:
        Tensors by name, the encoder's with `roberta.` in front, ready for `write_safetensors`.
    """
    state = {_PREFIX + name: array for name, array in _save(weights, _all_encoder(weights))}
    if classifier is not None:
        state.update(_save(classifier, classifier_weights()))
    if masked_lm is not None:
        state.update(_save(masked_lm, masked_lm_weights()))
    if linear is not None:
        state.update(_save(linear, linear_head_weights(linear_name)))
    return state


def _all_encoder(weights) -> list[Weight]:
    """`encoder_weights` for as many blocks and tables as there are."""
    blocks = {int(m[1]) for m in (re.match(r"encoder/block_(\d+)/", name) for name in weights) if m}
    has_types = "embeddings/token_type" in weights
    config = RobertaConfig(num_layers=max(blocks, default=0) + 1, num_token_types=int(has_types))
    return encoder_weights(config)


def _save(arrays, weights: list[Weight]) -> Iterator[tuple[str, np.ndarray]]:
    expected = {weight.name for weight in weights}
    wrong = sorted(expected ^ set(arrays))
    if wrong:
        raise InputError(f"missing or unknown weights: {_listed(wrong)}")
    for weight in weights:
        yield from weight.to_sources(np.asarray(arrays[weight.name]))
