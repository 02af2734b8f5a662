"""L3. Inference: a student run step by step, with constant memory and time per step.

sampling.py   from the parameters of a distribution to an output
engine.py     many steps in one call, eagerly
aot.py        the same, compiled ahead of time
stream.py     `Stream`: feed, step, score, generate on either engine
writing.py    text and images from a stream
"""
