"""What a pre-trained preset says of itself: a picture of the run's curves and a model card."""

import json
from pathlib import Path

from keras_roberta.config import RobertaConfig
from keras_roberta.data.corpus.shards import Shards
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.pretrain.options import MAY_DIFFER, PretrainingOptions
from keras_roberta.reports.picture import draw
from keras_roberta.reports.training_curves import pretraining_report
from keras_roberta.tasks.registry import DEFAULT_COMMAND, TASKS, task_of_command


def draw_curves(path, log, evaluations):
    """Writes a PNG: the training loss, the held-out loss of each language, the learning rate.

    Args:
        log, evaluations: rows of the run's tables, as `CsvLog.rows` gives them.
    """
    draw(path, pretraining_report(log, evaluations))


def write_card(
    path: Path,
    *,
    name: str,
    config: RobertaConfig,
    options: PretrainingOptions,
    shards: Shards,
    totals: dict[str, float],
    results: dict[str, dict[str, float]],
) -> None:
    """Writes the model card, README.md.

    Args:
        path: of the file.
        name: of the model.
        config: of its encoder.
        options: of the run.
        shards: what it was trained on.
        totals: dict of `steps`, `tokens`, `hours`, `skipped_steps`.
        results: dict of language to dict of metrics on held-out text.
    """
    batches = options.batches
    languages = ", ".join(
        f"{language} ({counts['tokens']:,} tokens)"
        for language, counts in shards.counts["train"].items()
    )
    start = f"a random start ({options.initializer})"
    if options.preset:
        what = "weights" if options.model.num_layers is None else f"{config.num_layers} layers"
        start = f"the {what} of {options.preset}"
    elif options.initial_embeddings == "cooccurrence":
        start += " with token embeddings by cooccurrence"
    # Other objectives leave no head that fills in a mask.
    fills_masks = "mlm" in batches.objectives
    predict = f'keras-roberta predict --model {name} "Some text with a <mask>."'
    task = task_of_command(DEFAULT_COMMAND).class_name
    lines = [
        "---",
        "library_name: keras",
        *(["pipeline_tag: fill-mask"] if fills_masks else []),
        "tags: [roberta, keras_roberta]",
        "---",
        f"# {name}",
        "",
        f"A RoBERTa encoder of {config.num_layers} layers, {config.hidden_dim} wide, "
        f"{config.num_heads} heads, {config.vocabulary_size:,} tokens, up to "
        f"{config.max_sequence_length} of them at once, trained from {start} by keras_roberta.",
        "",
        "```sh",
        *([predict] if fills_masks else []),
        f"keras-roberta finetune --preset {name} --train train.tsv --dev dev.tsv --out run/",
        "```",
        "",
        "```python",
        "import keras_roberta as kr",
        "",
        f'task = kr.{task}.from_preset("{name}/", num_classes=2)',
        "task.fit(train, validation_data=dev)  # tf.data of (strings, labels); lists work too",
        "```",
        "",
        "It can be fine-tuned, by that command or in Python, for",
        "",
        *(
            f"- {entry.summary}: `--task {entry.command}`, `keras_roberta.{entry.class_name}`"
            for entry in TASKS
            if entry.command
        ),
        "",
        "## Training",
        "",
        f"- text: {languages}",
        f"- objectives: {', '.join(batches.objectives)}; packing: {batches.packing}; "
        f"{batches.mask_rate:.0%} masked",
        f"- {totals['steps']:,} steps, {totals['tokens']:,} tokens, {totals['hours']:.2f} hours; "
        f"{totals['skipped_steps']} steps skipped",
        f"- batches of up to {options.largest_batch_size:,} sequences of up to "
        f"{options.longest_sequence} tokens",
        f"- AdamW, peak rate {options.peak_learning_rate(config.hidden_dim):.2g}, warm-up "
        f"{options.warmup:.0%} of the run, decay to 0 by the power {options.decay_power:g}, weight "
        f"decay {options.weight_decay:g}, dropout {options.dropout:g}, seed {options.seed}",
        "",
        "![Curves of loss and learning rate](curves.png)",
        "",
        *_results_table(results),
        "",
        *_options_table(options),
    ]
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _options_table(options):
    changed = {name: value for name, value in options.changed().items() if name not in MAY_DIFFER}
    if not changed:
        return ["All options of the run had their defaults."]
    return [
        "## Options",
        "",
        "Those that decide the weights and were not left at their defaults; `run.json` has all.",
        "",
        "| option | value |",
        "|---|---|",
        *(f"| {name} | {json.dumps(value)} |" for name, value in changed.items()),
    ]


def _results_table(results):
    if not results:
        return ["No text was held out to measure on."]
    names = list(next(iter(results.values())))
    return [
        "## On held-out text",
        "",
        "| language | " + " | ".join(name.replace("_", " ") for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
        *(
            f"| {language} | " + " | ".join(f"{values[name]:.3f}" for name in names) + " |"
            for language, values in results.items()
        ),
    ]
