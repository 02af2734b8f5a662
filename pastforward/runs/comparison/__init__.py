"""L5. Comparisons: a grid of runs, how its rates are found, and what it comes to.

grid.py      which runs, in which order, where they lie
rates.py     the search for a factor on the recipe's learning rates, the same for all ways
record.py    grid.json, what was planned, and how far each run is
results.py   a row for every run, and their means over seeds
table.py     the table for the console
charts.py    accuracy against T; loss against seconds, tokens and serial cell calls
page.py      report.html, at any time

Importing this imports no torch; planning does, to look up cells, peers and data.
"""
