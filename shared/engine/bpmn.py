"""Reading BPMN: the activities of a file, as the engine understands it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from shared.engine.bpmn_xml import BPMN, extensions, parse, vendor_attribute

_SUBPROCESSES = frozenset({f"{BPMN}subProcess", f"{BPMN}transaction", f"{BPMN}adHocSubProcess"})
_ACTIVITIES = _SUBPROCESSES | {f"{BPMN}task", f"{BPMN}callActivity"}


@dataclass(frozen=True)
class ActivityInfo:
    """One activity of a deployed file; the names are in the order of the XML.

    ``caught_error_codes`` and ``catches_all`` say which BPMN errors, thrown at this activity, something in
    the same process catches: a boundary event on it or on a subprocess around it, or an error event
    subprocess beside it or further out. What a calling process catches at its call activity is not seen.
    """

    id: str
    name: str | None
    topic: str | None
    process_key: str
    process_name: str | None
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    property_names: tuple[str, ...]
    multi_instance: bool
    caught_error_codes: frozenset[str]
    catches_all: bool

    def catches(self, error_code: str) -> bool:
        """Whether a BPMN error of this code goes on somewhere, instead of ending the instance silently."""
        return self.catches_all or error_code in self.caught_error_codes


@dataclass(frozen=True)
class StartInfo:
    """The start event of a process by which people start it, with its extension properties in order."""

    id: str
    process_key: str
    process_name: str | None
    properties: Mapping[str, str]


def read_starts(xml: bytes) -> dict[str, StartInfo]:
    """The plain start event of every process in a BPMN file, by the key of the process.

    Raises:
        UnreadableDiagram: the file is no XML.
    """
    found: dict[str, StartInfo] = {}
    for process in parse(xml).iter(f"{BPMN}process"):
        for event in process.iterchildren(f"{BPMN}startEvent"):
            if any(child.tag.endswith("EventDefinition") for child in event.iterchildren(f"{BPMN}*")):
                continue  # a timer's, a message's: nobody starts it by hand
            properties = {
                name: child.get("value") or ""
                for child in extensions(event, "properties", "property")
                if (name := child.get("name"))
            }
            found.setdefault(
                process.get("id"),
                StartInfo(event.get("id") or "", process.get("id"), process.get("name"), properties),
            )
    return found


def read_activities(xml: bytes) -> dict[str, ActivityInfo]:
    """Every activity of every process in a BPMN file, by id.

    Raises:
        UnreadableDiagram: the file is no XML.
    """
    root = parse(xml)
    errors = _Errors(root)
    return {
        element.get("id"): _activity(element, process, errors)
        for process in root.iter(f"{BPMN}process")
        for element in process.iter()
        if _is_activity(element) and element.get("id")
    }


class _Errors:
    """The error events of a file: code by definition, and the catching events by host."""

    def __init__(self, root: etree._Element) -> None:
        self._codes = {error.get("id"): error.get("errorCode") for error in root.iter(f"{BPMN}error")}
        self._boundaries: dict[str, list[etree._Element]] = {}
        for event in root.iter(f"{BPMN}boundaryEvent"):
            self._boundaries.setdefault(event.get("attachedToRef"), []).append(event)

    def caught_at(self, activity: etree._Element) -> set[str | None]:
        """The codes that are caught when thrown at an activity; None among them: all."""
        caught = self._of_events(self._boundaries.get(activity.get("id"), []))
        inside = activity
        for scope in activity.iterancestors(*_SUBPROCESSES, f"{BPMN}process"):
            handlers = [
                start
                for handler in scope.iterchildren(*_SUBPROCESSES)
                # an event subprocess never catches what is thrown inside itself
                if handler.get("triggeredByEvent") == "true" and handler is not inside
                for start in handler.iterchildren(f"{BPMN}startEvent")
            ]
            caught |= self._of_events(handlers)
            caught |= self._of_events(self._boundaries.get(scope.get("id"), []))
            inside = scope
        return caught

    def _of_events(self, events: list[etree._Element]) -> set[str | None]:
        return {
            self._code(definition)
            for event in events
            for definition in event.iterchildren(f"{BPMN}errorEventDefinition")
        }

    def _code(self, definition: etree._Element) -> str | None:
        """As in the engine: no reference catches all, and so does an error without a code."""
        reference = definition.get("errorRef")
        return self._codes.get(reference, reference) if reference else None


def _activity(element: etree._Element, process: etree._Element, errors: _Errors) -> ActivityInfo:
    caught = errors.caught_at(element)
    return ActivityInfo(
        id=element.get("id"),
        name=element.get("name"),
        topic=vendor_attribute(element, "topic"),
        process_key=process.get("id"),
        process_name=process.get("name"),
        input_names=tuple(_names(element, "inputOutput", "inputParameter")),
        output_names=tuple(_names(element, "inputOutput", "outputParameter")),
        property_names=tuple(_names(element, "properties", "property")),
        multi_instance=element.find(f"{BPMN}multiInstanceLoopCharacteristics") is not None,
        caught_error_codes=frozenset(code for code in caught if code is not None),
        catches_all=None in caught,
    )


def _is_activity(element: etree._Element) -> bool:
    tag = element.tag
    return isinstance(tag, str) and tag.startswith(BPMN) and (tag in _ACTIVITIES or tag.endswith("Task"))


def _names(element: etree._Element, holder: str, tag: str) -> Iterator[str]:
    """The names of the parameters or properties of one activity, each once."""
    return iter(
        dict.fromkeys(name for child in extensions(element, holder, tag) if (name := child.get("name")))
    )
