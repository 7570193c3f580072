"""Attention, composed: score x scale x normaliser x window x heads, or a fixed context in its place."""
