"""L6. Compare: many runs as one comparison, planned, searched, trained, reported.

request.py     what to compare, and the config of every run
planning.py    the plan: checked as a whole before the first run is trained
comparing.py   compare(tasks) -> Comparison
"""
