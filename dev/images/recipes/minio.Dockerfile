# MinIO's server alone: the program is static, so it needs no base.
FROM scratch
COPY minio /usr/bin/minio
ENV PATH=/usr/bin HOME=/tmp
USER 65532:65532
EXPOSE 9000
ENTRYPOINT ["minio"]
