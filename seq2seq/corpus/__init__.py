"""Sentences: where they come from (embedded grammar, files, hub), what is dropped from them and why, and how they are kept."""
