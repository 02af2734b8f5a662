"""Benchmarks and studies. They are no part of the installed package.

speed/      each fast path beside its rivals: python -m benchmarks.speed CASE
studies/    the trainings and analyses behind docs/results.md: python -m benchmarks.studies NAME
results/    the figures that README.md and docs/ cite
paths.py    where the repository, its results, documents and runs are
"""
