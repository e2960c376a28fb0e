"""Checks of RBAC rules, released CRDs, the SBOM and the generated references."""
