"""L1. Data: `open_source` takes a name or a path and finds out what it is.

Names: digits, pydoc, hf:NAME and tasks, as copy, copy:64 or key_values:128,pairs=8,symbols=16, of
the families copy, reversed_copy, retrieval, key_values, stack, modular, parity, s5, recency and
primacy. Paths: a text file or folder, IDX images or a folder of them, .npy, .npz, .csv. Data that
is in memory goes through `text_source`, `image_source` or `SeriesSource`.
"""
