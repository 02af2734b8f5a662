"""L3. Inference: a student run step by step, with constant memory and time per step."""
