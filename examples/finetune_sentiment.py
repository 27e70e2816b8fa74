"""Fine-tunes a checkpoint on a TSV file of texts and labels, and exports it for a phone.

    python examples/finetune_sentiment.py PRESET train.tsv OUT

PRESET is a Hugging Face directory as downloaded, or one of ours; the TSV has the columns
`sentence` and `label` (0 or 1).
"""

import csv
import pathlib
import sys

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.training import keep_freed_memory


def main(preset, train, out):
    # Batches of unequal length: a step takes the memory that earlier ones have freed, instead of
    # asking the system for new pages. It holds for the whole process, so the script decides.
    keep_freed_memory()
    with open(train, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [row["sentence"] for row in rows]
    labels = [int(row["label"]) for row in rows]

    task = kr.RobertaTextClassifier.from_preset(
        preset, num_classes=2, labels=["negative", "positive"]
    )
    task.fit(texts, labels, batch_size=32, epochs=1, validation_split=0.1)

    out = pathlib.Path(out)
    task.save_to_preset(out / "preset")
    options = {"sequence_lengths": (32,), "overwrite": True}
    export.to_tflite(task, out / "sentiment.tflite", quantization="int8", **options)

    phone = export.load(out / "sentiment.tflite")
    answer = phone.predict(["a gob of drivel"])
    print(task.labels[answer["label"][0]], f"{answer['score'][0]:.0%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
