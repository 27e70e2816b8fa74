"""How good, how large and how fast models are: measured, and written as table, picture and JSON.

Every report of the library is a `Report`: that of the commands `report` and `demo`, of
`export.report`, of fine-tuning and of a pre-training run.
"""
