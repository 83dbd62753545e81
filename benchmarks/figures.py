"""What a measurement says: one number against what it should reach."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One row of the table; ``value`` and ``reach`` have the same unit, mostly a ratio of two rates."""

    id: str
    what: str
    value: float
    reach: float
    higher_is_better: bool = True
    detail: dict[str, object] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the value reaches what it should."""
        return self.value >= self.reach if self.higher_is_better else self.value <= self.reach

    def json(self) -> dict[str, Any]:
        """As benchmarks/latest.json has it."""
        return asdict(self) | {"value": round(self.value, 3), "holds": self.holds}
