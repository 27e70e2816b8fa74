"""What a pre-trained preset says of itself: a picture of the run's curves and a model card."""

import json

import matplotlib.figure

from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.pretrain.options import MAY_DIFFER
from keras_roberta.tasks.registry import TASKS

_INK, _MUTED = "#1f4e79", "#666666"
_MOST_LANGUAGES = 12  # lines that can be told apart


def draw_curves(path, log, evaluations):
    """Writes a PNG: the training loss, the held-out loss of each language, the learning rate.

    Args:
        log, evaluations: rows of the run's tables, as `CsvLog.rows` gives them.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 3.4), layout="constrained")
    loss, rate = figure.subplots(1, 2, width_ratios=(3, 1))
    loss.plot(*_curve(log, "loss"), color=_MUTED, linewidth=1, label="training")
    languages = list(dict.fromkeys(row["language"] for row in evaluations))[:_MOST_LANGUAGES]
    for language in languages:
        rows = [row for row in evaluations if row["language"] == language]
        loss.plot(*_curve(rows, "loss"), linewidth=1.5, marker=".", label=f"held out, {language}")
    loss.set_title("loss", fontsize=9, loc="left")
    loss.legend(fontsize=7, frameon=False, ncols=2)
    rate.plot(*_curve(log, "learning_rate"), color=_INK, linewidth=1.5)
    rate.set_title("learning rate", fontsize=9, loc="left")
    for axes in (loss, rate):
        axes.set_xlabel("step", fontsize=8, color=_MUTED)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, length=0)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _curve(rows, name):
    return [int(row["step"]) for row in rows], [float(row[name]) for row in rows]


def write_card(path, name, config, options, shards, totals, results):
    """Writes the model card, README.md.

    Args:
        name: of the model.
        config: `RobertaConfig`
        options: `PretrainingOptions`
        shards: `Shards`
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
        start = f"the weights of {options.preset}"
    elif options.initial_embeddings == "cooccurrence":
        start += " with token embeddings by cooccurrence"
    lines = [
        "---",
        "library_name: keras",
        "pipeline_tag: fill-mask",
        "tags: [roberta, keras_roberta]",
        "---",
        f"# {name}",
        "",
        f"A RoBERTa encoder of {config.num_layers} layers, {config.hidden_dim} wide, "
        f"{config.num_heads} heads, {config.vocabulary_size:,} tokens, up to "
        f"{config.max_sequence_length} of them at once, trained from {start} by keras_roberta.",
        "",
        "```sh",
        f'keras-roberta predict --model {name} "Some text with a <mask>."',
        f"keras-roberta finetune --preset {name} --train train.tsv --out finetuned",
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
