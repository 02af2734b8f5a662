"""L4. Instruments for a researcher's questions; each is a function that returns plain figures."""
