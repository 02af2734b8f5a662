"""L2. The teacher: encoders, decoder, and where target memories come from. Discarded at the end."""
