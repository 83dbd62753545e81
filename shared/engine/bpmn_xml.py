"""The XML of BPMN files: names, and a parser that expands, loads and fetches nothing.

Camunda's and Operaton's namespaces mean the same.
"""

from collections.abc import Iterator

from lxml import etree

from shared.engine.errors import UnreadableDiagram

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
VENDORS = ("{http://camunda.org/schema/1.0/bpmn}", "{http://operaton.org/schema/1.0/bpmn}")


def parse(xml: bytes) -> etree._Element:
    """The root element of a file.

    Raises:
        UnreadableDiagram: the file is no XML.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableDiagram(f"the BPMN file is no XML: {error}") from error


def vendor_attribute(element: etree._Element, name: str) -> str | None:
    """An attribute of the engine's own; None where it is empty or not given."""
    return next((value for vendor in VENDORS if (value := element.get(f"{vendor}{name}"))), None)


def vendor_children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """The children of an element that are the engine's own, of one name."""
    yield from element.iterchildren(*(f"{vendor}{name}" for vendor in VENDORS))


def extensions(element: etree._Element, *path: str) -> Iterator[etree._Element]:
    """The engine's own elements under an element's ``extensionElements``, down a path of names."""
    found = list(element.iterchildren(f"{BPMN}extensionElements"))
    for name in path:
        found = [child for parent in found for child in vendor_children(parent, name)]
    yield from found
