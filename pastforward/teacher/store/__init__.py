"""L1. The label store: a frozen teacher's labels in a folder, written once, read by any student.

DIR/store.json             what it is, and the sizes and SHA-256 sums of the files beside it
    readout.safetensors    the teacher's readout, for `distill`
    chunk-00000.safetensors ...   x, y, mask and labels of so many sequences

The sequences are training batches of a source, so a chunk is a function of (source, seed, number)
and of the teacher alone. Labels are kept in half precision: memories are of order 1, and a number
is rounded by at most 2^-11 of itself.
"""
