"""The OpenAPI 3.1 description of the REST face, drawn from the protos: paths, parameters, schemas, errors."""

from gateway.openapi.document import document

__all__ = ["document"]
