"""L1. Synthetic tasks: how hard they are is said in their names, what is best is known."""
