"""The trainings and analyses behind docs/results.md and docs/performance.md.

python -m benchmarks.studies NAME         comparisons, analyses and samples, then docs/results.md
python -m benchmarks.studies.collapse     why gated cells collapse
python -m benchmarks.studies.gap          where a student loses against its teacher, stage by stage
python -m benchmarks.studies.credit       credit of untrained networks
python -m benchmarks.studies.onpolicy     DMT: length of windows and replay steps
python -m benchmarks.studies.cost_model   multiplications, bytes and time of each part of a step
python -m benchmarks.studies.performance  docs/performance.md, from the rows of benchmarks.speed

Every row that they write carries the command, commit, torch version, machine and date.
"""
