"""What every settings class shares: frozen, no unknown keys, and a short way to name a part that has options."""

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

CHOICES = ("kind", "architecture")
"""Keys that say which part is meant; the options beside them are those of that part."""


class Settings(BaseModel):
    """A frozen group of settings. The sentence under each field is its documentation, with unit and range."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


def _spell_out(value: Any) -> Any:
    """Read `score: dot` as `score: {kind: dot}`; a name with a colon is somebody's own class."""
    if not isinstance(value, str):
        return value
    return {"kind": "custom", "path": value} if ":" in value else {"kind": value}


SHORTHAND = BeforeValidator(_spell_out)
"""Put into an `Annotated[...]` union discriminated by `kind` so that a part without options can be named by a plain string."""
