"""Other trainers and decoders, each in a virtual environment of its own; `launch.py` runs there, `table.py` here."""
