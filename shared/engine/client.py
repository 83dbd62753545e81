"""The engine as the rest of Stepgram sees it."""

from shared.engine.history import History
from shared.engine.identity import Identity
from shared.engine.instances import Instances
from shared.engine.tasks import ExternalTasks


class EngineClient(ExternalTasks, Instances, History, Identity):
    """One pooled client for the REST API of Camunda 7 or Operaton; an async context manager.

    Every method raises :class:`shared.engine.errors.EngineError` only. Those that are of the world as well
    (EngineUnavailable, EngineUnauthorized, OptimisticLocking, EngineFault) may be tried again.
    """
