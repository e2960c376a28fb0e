"""Clients of the on-premises store, an S3 server: minio-py and signed requests."""
