"""The one adapter to the REST API of Camunda 7 and Operaton."""
