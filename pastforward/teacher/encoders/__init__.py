"""L2. Encoders: target memories of all prefixes of a sequence."""
