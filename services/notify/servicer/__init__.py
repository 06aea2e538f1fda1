"""gRPC in: request → use case → response, one module a service."""
