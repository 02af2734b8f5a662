"""L2. The label store: a frozen teacher's target memories in a folder, for any number of students.

DIR/store.json             what it is, and the sizes and SHA-256 sums of the files beside it
    readout.safetensors    the teacher's readout, for the distill term of DMT
    chunk-00000.safetensors ...   x, y, mask and targets of a fixed number of sequences

The sequences are training batches of a source, so a chunk is a function of (source, seed, number)
and of the teacher alone. Targets are stored in half precision: memories are of order 1, and a
number is rounded by at most 2^-11 of itself.
"""
