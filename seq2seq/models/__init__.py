"""Encoders and decoders behind one interface."""
