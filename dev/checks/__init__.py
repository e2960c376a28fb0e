"""What is compared with the code: RBAC rules, released CRDs, the SBOM, the metrics reference."""
