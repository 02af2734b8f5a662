"""L4. Measurements of trained networks; each is a function that returns plain numbers."""
