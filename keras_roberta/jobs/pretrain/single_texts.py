"""A model that was trained on rows of several documents, for one text a row."""

from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.pretrainer import RobertaPretrainer


def without_segments(model: RobertaPretrainer) -> RobertaPretrainer:
    """The same weights as a model that takes one text a row, as every task does."""
    backbone = model.backbone
    if not backbone.optional_inputs:
        return model
    config = {**model.get_config(), "backbone": RobertaBackbone(backbone.config)}
    config |= {"preprocessor": model.preprocessor, "name": None}
    plain = RobertaPretrainer(**config)
    for weight, trained in zip(plain.weights, model.weights, strict=True):
        weight.assign(trained)
    return plain
