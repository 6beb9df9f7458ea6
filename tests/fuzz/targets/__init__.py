"""What is fuzzed: each module holds one ``TARGET``, and is found by its place in this folder."""
