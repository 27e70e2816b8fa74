"""Whole jobs, from files to files: what the command line runs.

Every job is called alike: first what it reads and where it writes, then `options`, the record of
how, whose defaults are the command line's; by keyword what belongs to this call alone, such as
`overwrite`, `strategy` or `progress`.

    finetune("roberta-base/", "train.tsv", "dev.tsv", "out/", FinetuneOptions(epochs=3))
    pretrain("shards/", "run/", recipe("one-day", hours=2), overwrite=True)

A job that needs none of its options may be called without them; pre-training has to be told how
long. `predict` takes its table (`data`) and its file (`out`) by keyword, as it may have neither.

The records of jobs that are one file are in `jobs/options/`.
"""
