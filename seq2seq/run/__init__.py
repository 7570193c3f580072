"""One run: its folder, its training, its weights, its translations."""
