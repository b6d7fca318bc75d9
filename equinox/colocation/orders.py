"""Orders of services: whose batch goes first where several may issue one."""

from collections.abc import Callable, Mapping

#: The lowest goes first of rank + age x arrival of its oldest request, from the place of the
#: service in their order and its target (cycles). A new order is one entry.
Order = Callable[[int, int], tuple[int, int]]
ORDERS: Mapping[str, Order] = {
    "listed": lambda place, target: (place, 0),  # always the first of those that may
    "oldest": lambda place, target: (0, 1),  # first come, first served
    "deadline": lambda place, target: (target, 1),  # earliest deadline first
}
