"""JSON values that nobody can change: what is kept, and shown to many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn


def frozen(value: Any) -> Any:
    """A JSON value as a copy that cannot be changed.

    An object is still a ``dict`` in it and an array a ``list``, for whoever writes them as JSON,
    validates or compares them; what ``copy``, ``deepcopy`` or ``pickle`` make of them are
    ordinary ones. To change one raises TypeError.
    """
    match value:
        case Mapping():
            return FrozenDict((key, frozen(each)) for key, each in value.items())
        case list() | tuple():
            return FrozenList(map(frozen, value))
        case _:
            return value


def _refuse(self: Any, *about: Any, **named: Any) -> NoReturn:
    raise TypeError("this is kept as it is: change a copy of it (copy.deepcopy)")


class FrozenDict(dict[str, Any]):
    """See ``frozen``."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class FrozenList(list[Any]):
    """See ``frozen``."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)
