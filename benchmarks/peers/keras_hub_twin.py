"""KerasHub's classifier with the weights of one of ours."""

import keras
import keras_hub
import numpy as np


def keras_hub_twin(task):
    """KerasHub's classifier with the task's weights, checked to compute the same."""
    config = task.backbone.config
    backbone = keras_hub.models.RobertaBackbone(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=config.intermediate_dim,
        # Its positions start at 0; the rows before ours are for padding.
        max_sequence_length=config.max_sequence_length,
    )
    peer = keras_hub.models.RobertaTextClassifier(
        backbone, num_classes=task.num_classes, hidden_dim=config.hidden_dim
    )
    ours = task.backbone.weights_by_name()
    ours = {name: keras.ops.convert_to_numpy(value) for name, value in ours.items()}
    positions = ours["embeddings/position"][config.pad_token_id + 1 :]
    embeddings = backbone.embeddings
    embeddings.token_embedding.embeddings.assign(ours["embeddings/token"])
    embeddings.position_embedding.position_embeddings.assign(
        positions + ours["embeddings/token_type"][0]
    )
    assign_norm(backbone.embeddings_layer_norm, ours, "embeddings/layer_norm", config)
    width = (config.hidden_dim, config.num_heads, config.head_dim)
    for i, layer in enumerate(backbone.transformer_layers):
        name = f"encoder/block_{i}"
        attention = layer._self_attention_layer
        kernels = np.split(ours[f"{name}/attention/query_key_value/kernel"], 3, axis=-1)
        biases = np.split(ours[f"{name}/attention/query_key_value/bias"], 3)
        denses = (attention.query_dense, attention.key_dense, attention.value_dense)
        for dense, kernel, bias in zip(denses, kernels, biases, strict=True):
            dense.kernel.assign(kernel.reshape(width))
            dense.bias.assign(bias.reshape(width[1:]))
        output = ours[f"{name}/attention/output/kernel"]
        attention.output_dense.kernel.assign(output.reshape(*width[1:], width[0]))
        attention.output_dense.bias.assign(ours[f"{name}/attention/output/bias"])
        for dense, part in (
            (layer._feedforward_intermediate_dense, "intermediate"),
            (layer._feedforward_output_dense, "output"),
        ):
            dense.kernel.assign(ours[f"{name}/{part}/kernel"])
            dense.bias.assign(ours[f"{name}/{part}/bias"])
        assign_norm(layer._self_attention_layer_norm, ours, f"{name}/attention_layer_norm", config)
        assign_norm(layer._feedforward_layer_norm, ours, f"{name}/output_layer_norm", config)
    head = task.head_weights_by_name()
    for dense, part in ((peer.pooled_dense, "dense"), (peer.output_dense, "out")):
        dense.kernel.assign(head[f"{part}/kernel"])
        dense.bias.assign(head[f"{part}/bias"])
    inputs = {"token_ids": np.array([[0, 9, 8, 2, 1]]), "padding_mask": np.array([[1, 1, 1, 1, 0]])}
    difference = np.abs(np.asarray(peer(inputs)) - np.asarray(task(inputs))).max()
    if difference > 1e-2:  # its GELU is the tanh approximation
        raise SystemExit(f"KerasHub's twin differs by {difference}: the comparison would be unfair")
    return peer


def assign_norm(layer, ours, name, config):
    """A layer norm's weights and its epsilon, which KerasHub does not let one choose."""
    layer.gamma.assign(ours[f"{name}/gamma"])
    layer.beta.assign(ours[f"{name}/beta"])
    layer.epsilon = config.layer_norm_epsilon
