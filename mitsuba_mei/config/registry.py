"""Types that can be added: those of the package, and those that installed packages offer by entry points."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, TypeVar, Union

from pydantic import Discriminator, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag, TypeAdapter
from pydantic_core import PydanticKnownError, core_schema

from ..errors import UserError, first_line
from .fields import Part

__all__ = ["OneOf", "Registry", "named"]

Value = TypeVar("Value")


def named(name: str) -> Any:
    """Import ``module:name`` of this package, lazily."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"{__package__.rpartition('.')[0]}.{module}"), attribute)


class Registry(Mapping[str, Value]):
    """The value of each type; that of an installed package is imported when it is asked for, not before.

    An entry point names a module or an object with two attributes: ``settings``, the :class:`Part` that says what a
    file may say of the type, and ``build``, which makes of it what computes. A name of the package itself cannot be
    taken by another one.

    Parameters
    ----------
    own : mapping of str to object
        The package's own.
    group : str
        Of the entry points.
    base : type[Part]
        From which all settings are derived.
    taken : collection of str
        Further names that no package can offer.
    attribute : {'settings', 'build'}
        Which of the two a value is.

    Raises
    ------
    UserError
        On access to a type whose entry point cannot be imported, or lacks what is asked of it.
    """

    def __init__(
        self,
        own: Mapping[str, Value],
        group: str,
        base: type[Part] = Part,
        taken: Collection[str] = (),
        attribute: str = "settings",
    ) -> None:
        self.own, self._group, self._base, self._attribute = dict(own), group, base, attribute
        self._taken = {*own, *taken}

    def builders(self, own: Mapping[str, Any]) -> Registry[Any]:
        """Registry of the functions that build each type from its settings, the package's own being these."""
        return Registry(own, self._group, self._base, self._taken, "build")

    def __getitem__(self, name: str) -> Value:
        if name in self.own:
            return self.own[name]
        points = [point for point in self._offered() if point.name == name]
        if not points:
            raise KeyError(name)
        if len({point.value for point in points}) > 1:
            raise UserError(f"{' and '.join(map(_package, points))} both offer type {name}; remove one of them")
        return getattr(_loaded(points[0], self._base), self._attribute)

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys([*self.own, *(point.name for point in self._offered())])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self.own or any(point.name == name for point in self._offered())

    def importable(self) -> dict[str, Value]:
        """Every type whose value is there; a broken entry point's is left out."""
        values = {}
        for name in self:
            try:
                values[name] = self[name]
            except UserError:
                continue
        return values

    def _offered(self) -> list[EntryPoint]:
        return [point for point in entry_points(group=self._group) if point.name not in self._taken]


def _package(point: EntryPoint) -> str:
    return "an installed package" if point.dist is None else f"the package {point.dist.name}"


@functools.cache
def _loaded(point: EntryPoint, base: type[Part]) -> Any:
    """Load an entry point and check its settings and builder."""
    subject = f"{_package(point)} offers type {point.name} (entry point {point.group}: {point.value}), which"
    try:
        plugin = point.load()
    except (Exception, SystemExit) as error:
        raise UserError(f"{subject} cannot be imported: {first_line(error)}; mend or remove that package") from None
    settings = getattr(plugin, "settings", None)
    if not (isinstance(settings, type) and issubclass(settings, base)):
        raise UserError(
            f"{subject} has no 'settings' that is a subclass of {base.__name__}; mend or remove that package"
        )
    if "type" not in settings.model_fields or settings.model_fields["type"].default != point.name:
        raise UserError(f"{subject} has settings whose type is not '{point.name}'; mend or remove that package")
    if not callable(getattr(plugin, "build", None)):
        raise UserError(f"{subject} has no callable 'build'; mend or remove that package")
    return plugin


class OneOf:
    """The annotation of a mapping whose ``type`` is one of a registry's, or one of some that are fixed.

    pydantic checks the types that it annotates itself, a union of the package's own; this adds those that come from
    other packages: in what is accepted, in the names that a mistake is compared with, and in the JSON schema.

    Parameters
    ----------
    types : Registry of type[Part]
    fixed : mapping of str to type[Part]
        Types that no package can add to.
    default : str
        The type of a mapping that names none.
    """

    def __init__(self, types: Registry[type[Part]], fixed: Mapping[str, type[Part]], default: str) -> None:
        self.types, self.fixed, self.default = types, dict(fixed), default

    def annotation(self) -> Any:
        """The annotated union."""
        return Annotated[self._union({**self.types.own, **self.fixed}), self]

    def parts(self) -> list[type[Part]]:
        """Every class that a value can be of."""
        return [*self.types.importable().values(), *self.fixed.values()]

    def _union(self, parts: Mapping[str, type[Part]]) -> Any:
        tagged = tuple(Annotated[part, Tag(name)] for name, part in parts.items())
        return Annotated[Union[tagged], Discriminator(self._type)]

    def _type(self, value: Any) -> Any:
        return value.get("type", self.default) if isinstance(value, dict) else getattr(value, "type", self.default)

    def _validated(self, value: Any, known: Callable[[Any], Any]) -> Any:
        name = self._type(value)
        if not isinstance(name, str) or name in self.types.own or name in self.fixed:
            return known(value)
        if name not in self.types:
            names = ", ".join(repr(each) for each in (*self.types, *self.fixed))
            context = {"discriminator": "type", "tag": name, "expected_tags": names}
            raise PydanticKnownError("union_tag_invalid", context)
        try:
            adapter = self._adapter(name)
        except UserError as error:  # of its entry point; as this, it is said with the line that names the type
            raise ValueError(str(error)) from None
        return adapter.validate_python(value)

    @functools.cache
    def _adapter(self, name: str) -> TypeAdapter:
        return TypeAdapter(self._union({**self.types.own, name: self.types[name]}))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._validated, handler(source), serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        offered = {name: part for name, part in self.types.importable().items() if name not in self.types.own}
        json_schema = handler(schema)
        for part in offered.values():
            json_schema["oneOf"].append(handler(part.__pydantic_core_schema__))
        return json_schema
