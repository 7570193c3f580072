"""The embedded corpus: a synchronous grammar of English and German, data in `data/grammar/`, and the engine that reads it."""
