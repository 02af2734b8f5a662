"""L4. The doctor: checks of a student, its teacher and their data for the usual faults.

`table.py` holds the table `CHECKS` and `diagnose`. A check is a function `(CheckContext) ->
CheckResult`, which may raise `Skip` to say why it can't be made; a new one is one function and one
row.
"""
