"""L6. What Python users call and the command line prints.

training.py    train(what, method) -> Run
opening.py     open_run(name) -> Run: evaluate, doctor, analyse, report, samples
comparison/    compare(tasks) -> Comparison
labelling.py   label(run) -> LabelStore
"""
