"""Transformers' classifier in PyTorch, for benchmarks/edge.py; see rounds.py."""

import edge_options
import torch
import transformers


def main():
    options = edge_options.parse_options(__doc__)
    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model).eval()
    if options.precision == "int8":
        model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)
    torch.manual_seed(0)
    shape = (1, options.length)
    inputs = {
        "input_ids": torch.randint(5, 200, shape),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
    }

    def call():
        with torch.inference_mode():
            model(**inputs)

    edge_options.serve(call)


if __name__ == "__main__":
    main()
