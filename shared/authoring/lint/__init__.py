"""What is wrong with a diagram, told before it is deployed. Nothing in it is run, and nothing fetched."""

from shared.authoring.lint.check import Topics, check, check_files
from shared.authoring.lint.findings import RULES, Finding, told

__all__ = ["RULES", "Finding", "Topics", "check", "check_files", "told"]
