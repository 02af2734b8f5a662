"""L3. The deployed engine: a student run step by step, with constant memory and time per step.

sampling.py   from the parameters of a distribution to an output
engine.py     many steps in one call, eagerly
ahead.py      the same, compiled ahead of time
deployed.py   Stream: feed, step, score, generate on either engine
writing.py    text and images by way of a stream
"""
