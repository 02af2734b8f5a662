"""L6. scikit-learn's face: sequences in, classes or numbers out."""
