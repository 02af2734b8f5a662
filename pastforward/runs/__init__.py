"""L6. What Python users call and the command line prints: train, open_run, compare, label."""
