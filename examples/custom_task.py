"""A task of your own, outside the library: stars from 1 to 5 for a text.

python examples/custom_task.py PRESET stars.tsv OUT     (columns `text` and `label`)
"""

import dataclasses
import pathlib
import sys

import keras
import numpy as np

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.schemas import Value, register_schema
from keras_roberta.tasks.sequence_task import RobertaSequenceTask
from keras_roberta.tasks.text_regressor import ValueHead


@register_schema  # what examples and answers are: read by Keras and by exported files alike
@dataclasses.dataclass(frozen=True)
class Stars(Value):
    name = "stars"

    def answers(self, outputs):
        return [{"stars": int(stars)} for stars in np.clip(np.round(outputs["value"]), 1, 5)]


@keras.saving.register_keras_serializable(package="examples")
class StarRater(RobertaSequenceTask):
    schema_cls, schema = Stars, Stars()
    hugging_face = None  # Transformers has no such head

    def __init__(self, backbone, preprocessor=None, dropout=None, **kwargs):
        super().__init__(backbone, 1, preprocessor, dropout, **kwargs)

    def default_loss(self):
        return keras.losses.Huber()

    def exported_head(self):
        return ValueHead(self.schema)


kr.register_task(StarRater, command="stars", summary="one to five stars for a text")


def main(preset, table, out):
    table, out = read_table(table), pathlib.Path(out)
    task = StarRater.from_preset(preset, load_head=False)
    task.fit(table.texts("text"), table.numbers("label"), epochs=3, verbose=0)
    task.save_to_preset(out / "preset")  # `kr.open_task` opens it again
    export.to_tflite(task, out / "stars.tflite", quantization="none", overwrite=True)
    for model in (task, export.load(out / "stars.tflite")):
        print(model.answers(["a gob of drivel"])[0]["stars"])


if __name__ == "__main__":
    main(*sys.argv[1:])
