"""The on-premises store: an S3 server, spoken to by minio-py and presigned requests."""
