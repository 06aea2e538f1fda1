"""How the platform is run: locally and on Kubernetes."""
