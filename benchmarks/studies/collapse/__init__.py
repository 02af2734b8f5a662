"""Collapse: do target memories of different sequences stay apart when a cell is trained on them?

cells.py      forms of the cells: without the norm after a step, scaled, with normalised gates
losses.py     regularisers that keep target memories apart
settings.py   the paper's losses and what is changed of them, jobs, queues
method.py     joint training with the losses of a setting
__main__.py   python -m benchmarks.studies.collapse
"""
