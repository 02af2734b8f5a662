"""Kills, damaged files, odd options, long streams: what the library promises, tried many times.

children.py   commands in forked processes: watched, limited, killed
kills.py      SIGKILL at random moments; what is left goes on to the end of an unbroken run
ranks.py      a process of torchrun is killed, and all are started again
fuzz.py       damaged and hostile files and random options; kinds.py, damage.py, judging.py
stream.py     a million streamed steps
page.py       docs/reliability.md from the rows

Rows lie in benchmarks/results/reliability.jsonl.
"""
