"""The microservice chassis: what two services use and what knows no noun of education."""
