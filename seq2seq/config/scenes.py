"""Settings of the embedded corpus of drawn scenes."""

from pydantic import Field, model_validator

from seq2seq.config.base import Settings

SCENES = "scenes"
"""Name of the embedded corpus of scenes."""
IMAGE = "image"
"""Its source in place of a language."""


class SceneSettings(Settings):
    """Number of pictures of coloured shapes, and of the shapes in one."""

    train_pairs: int = Field(default=20_000, ge=1, le=1_000_000)
    """Pictures to learn from, 1 to 1 million; 2 KB each on disk."""
    valid_pairs: int = Field(default=300, ge=1, le=100_000)
    """Pictures that decide when to stop, 1 to 100,000."""
    test_pairs: int = Field(default=1_000, ge=1, le=100_000)
    """Pictures to score, 1 to 100,000."""
    min_objects: int = Field(default=1, ge=1, le=16)
    """Shapes in the emptiest picture, 1 to 16; all numbers are equally frequent."""
    max_objects: int = Field(default=10, ge=1, le=16)
    """Shapes in the fullest picture, `min_objects` to 16, the places of the grid."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Which scenes are drawn, 0 to 2**63 - 1; the same seed gives the same bytes on every machine."""

    @model_validator(mode="after")
    def _numbers_in_order(self) -> "SceneSettings":
        if self.min_objects > self.max_objects:
            raise ValueError(f"min_objects {self.min_objects} is greater than max_objects {self.max_objects}")
        return self
