# Traefik alone: the program is static, so it needs no base.
FROM scratch
COPY traefik /usr/bin/traefik
ENV PATH=/usr/bin HOME=/tmp
USER 65532:65532
EXPOSE 8000 8443
ENTRYPOINT ["traefik"]
