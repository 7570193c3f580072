"""Base of every settings class: frozen, no unknown keys, and a short way to name a part that has options."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, TypeAdapter, ValidationError, model_validator

from seq2seq.config.errors import UserError

T = TypeVar("T")

CHOICES = ("kind", "architecture")
"""Keys that say which part is meant; the options beside them are those of that part."""


class Settings(BaseModel):
    """A frozen group of settings. The sentence under each field is its documentation, with unit and range."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, data: Any) -> Any:
        """Neither is `heads: true` one head, nor `bidirectional: 1` a yes."""
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(name)
            if field is None:
                continue
            only, may = field.annotation is bool, bool in (field.annotation, *get_args(field.annotation))
            if (only and not isinstance(value, bool)) or (isinstance(value, bool) and not may):
                wanted = "true or false" if only else "a value"
                raise ValueError(f"{name}: expected {wanted}, not {str(value).lower()}")
        return data


def spell_out(value: Any) -> Any:
    """Read `score: dot` as `score: {kind: dot}`; a name with a colon is somebody's own class."""
    if not isinstance(value, str):
        return value
    return {"kind": "custom", "path": value} if ":" in value else {"kind": value}


def usual(**choice: str) -> BeforeValidator:
    """Put beside a union so that settings which do not say which part they are of are of this one."""
    return BeforeValidator(lambda value: {**choice, **value} if isinstance(value, dict) else value)


Part = Annotated[T, Field(discriminator="kind"), BeforeValidator(spell_out)]
"""One of several settings classes, chosen by `kind`; a part without options can be named by a plain string."""
ONE_OR_MORE = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
"""Put beside a tuple of words so that a single one need not stand in brackets."""
Seed = Annotated[int, Strict(), Field(ge=0, lt=2**63)]
"""What a random generator starts from: 0 to 2**63 - 1, which torch and numpy both take."""
Count = Annotated[int, Strict(), Field(ge=1, le=10**12)]
"""How many of something: 1 to 10**12."""
Size = Annotated[int, Strict(), Field(ge=1, le=65_536)]
"""Features of a layer, or positions of a table."""


def checked(kind: type[T], data: Any, where: object, advice: str) -> T:
    """Validate what was read from `where`; a `UserError` names the first mistake with its dotted path, and says `advice`."""
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}; {advice}") from None


def members(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the settings classes that an annotation may stand for, in the order in which they are written."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from members(member)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def tags(member: type[BaseModel]) -> tuple[str, ...]:
    """Return the names by which a member of a union is chosen, without those that are read as another; none if it is none."""
    field = next((member.model_fields[choice] for choice in CHOICES if choice in member.model_fields), None)
    if field is None:
        return ()
    return (field.default,) if field.metadata else get_args(field.annotation)
