"""Writes the files of `benchmarks/edge.py` into a directory, and `sizes.json` with their megabytes.

python edge_files.py DIRECTORY OPTIONS_AS_JSON
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.export.quantization import SCHEMES

TEXT_LENGTHS = (16, 32, 64, 128)


def main():
    directory, options = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
    keras.utils.set_random_seed(0)
    if options["preset"]:
        task = kr.open_task(options["preset"])
    else:
        config = kr.RobertaConfig.named(options["size"])
        task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), num_classes=2)
    sizes = {}

    def wrote(name, path):
        sizes[name] = path.stat().st_size / 1e6
        print(f"{name}: {sizes[name]:.1f} MB", flush=True)

    plain = [name for name, scheme in SCHEMES.items() if not scheme.needs_calibration]
    for scheme in options["schemes"] or plain:
        path = directory / f"ours_{scheme}.tflite"
        export.to_tflite(task, path, scheme, "tokens", sequence_lengths=[options["length"]])
        wrote(f"ours, {scheme}", path)
    if options["data"]:
        export.to_tflite(
            task, directory / "texts_int8.tflite", "int8", sequence_lengths=TEXT_LENGTHS
        )
    if "keras_hub" in options["peers"]:
        write_keras_hub(task, directory, options["length"], wrote)
    if {"onnx", "torch"} & set(options["peers"]):
        task.save_to_hugging_face(directory / "hugging-face")
    (directory / "sizes.json").write_text(json.dumps(sizes))


def write_keras_hub(task, directory, length, wrote):
    from keras_hub_twin import keras_hub_twin

    peer = keras_hub_twin(task)
    signature = [
        {name: tf.TensorSpec((1, length), tf.int32, name) for name in ("token_ids", "padding_mask")}
    ]
    for precision in ("none", "int8"):
        path = directory / f"hub_{precision}.tflite"
        settings = {"optimizations": [tf.lite.Optimize.DEFAULT]} if precision == "int8" else {}
        peer.export(
            str(path), format="litert", input_signature=signature, verbose=False, **settings
        )
        wrote(f"KerasHub, {precision}", path)


if __name__ == "__main__":
    main()
