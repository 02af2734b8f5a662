"""L4. Training: one loop for all methods, runs that resume, ranks."""
