"""Settings: what a study may say, with types, units and ranges. No torch here, so that a mistake costs a second."""
