"""Train sequence-to-sequence models whose attention can be switched, and measure what attention does to long sentences."""

__version__ = "0.1.0"
