"""L6. A local page and an API of a trained student. Imports no torch.

served      what is served: student, codec, facts, examples
batching    one thread steps all sequences that wait, together
sessions    memories by name, kept a while
requests    bodies of requests, their limits and refusals
writing     sequences drawn step by step, as text, pixels or rows
completions the interface of OpenAI's completions
app         routes, and the server
"""
