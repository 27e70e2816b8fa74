"""By which power of their size languages are drawn unless told otherwise, in every job alike."""

LANGUAGE_ALPHA = 0.7  # as in multilingual BERT; Conneau et al. (2020) take 0.3 for XLM-R
