"""A cross-lingual encoder as one `.tflite` that takes text: size, latency, agreement with Keras.

    python benchmarks/xlmr_text_export.py --data DIR --quantization int8

DIR holds `xlmr-small/` with its `make_checkpoint.py`, and `lingua_sentences/*.txt`, sentences in
ten languages. The encoder's checkpoint is written to a temporary directory, exported from text, and
its vectors compared with Keras's for as many sentences of each language. Ids are compared with
sentencepiece's.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
LENGTH = 64
ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--quantization", default="int8")
    parser.add_argument("--sentences", type=int, default=100, help="of each language")
    parser.add_argument("--out", type=pathlib.Path, help="where to keep the file, or has it")
    options = parser.parse_args()

    import numpy as np
    import sentencepiece

    import keras_roberta as kr
    from keras_roberta import export
    from keras_roberta.tokenizers import byte_buffer, open_tokenizer

    texts = []
    for path in sorted((options.data / "lingua_sentences").glob("*.txt")):
        lines = [line for line in path.read_text("utf-8").splitlines() if line]
        texts += lines[:: max(1, len(lines) // options.sentences)][: options.sentences]
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        maker = options.data / "xlmr-small" / "make_checkpoint.py"
        subprocess.run([sys.executable, str(maker), str(directory / "hf")], check=True)
        preprocessor = kr.RobertaTextEmbedderPreprocessor(open_tokenizer(directory / "hf"), LENGTH)
        task = kr.RobertaTextEmbedder.from_preset(
            directory / "hf", preprocessor=preprocessor, pooling="mean"
        )
        path = options.out or directory / "model.tflite"
        begin = time.perf_counter()
        if not path.exists():
            export.to_tflite(task, path, options.quantization, sequence_lengths=(LENGTH,))
            print(f"{time.perf_counter() - begin:.0f} s to write")
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
        runner = export.load(path)
        found, ids, times = [], [], []
        for text in texts:
            utf8 = byte_buffer.fill([text], 8 * LENGTH)
            begin = time.perf_counter()
            outputs = runner.run(f"text_{LENGTH}", utf8=utf8)
            times.append(time.perf_counter() - begin)
            found.append(outputs["vector"][0])
            ids.append(outputs[runner.metadata["ids_output"]][0].tolist())
        begin = time.perf_counter()
        for text in texts:
            runner.run(f"tokenize_{LENGTH}", utf8=byte_buffer.fill([text], 8 * LENGTH))
        tokenizing = (time.perf_counter() - begin) / len(texts)
        model = str(directory / "hf" / "sentencepiece.bpe.model")
        processor = sentencepiece.SentencePieceProcessor(model_file=model)
        whole, part = 1e3 * statistics.median(times), 1e3 * tokenizing
        print(f"{whole:.1f} ms a sentence, {part:.2f} ms of it the tokenizer")
        differ = 0
        for row, text in zip(ids, texts, strict=True):
            right = [index + 1 if index else 3 for index in processor.encode(text)][: LENGTH - 2]
            right = [0, *right, 2]
            differ += row != right + [1] * (LENGTH - len(right))
        print(f"{len(texts)} sentences, {differ} with other ids than sentencepiece's", flush=True)
        expected = task.predict(texts, batch_size=16, verbose=0)
    cosines = (np.array(found) * expected).sum(axis=1)
    print(f"cosine with Keras: least {cosines.min():.4f}, mean {cosines.mean():.5f}")


if __name__ == "__main__":
    main()
