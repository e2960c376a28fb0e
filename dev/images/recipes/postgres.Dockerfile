# Postgres from Debian's packages, laid out as the official image: the account postgres has UID 999,
# and the programs are on PATH. The query compiler, which is most of the size, is left out.
FROM debian:bookworm-slim
RUN groupadd --system --gid 999 postgres \
 && useradd --system --gid postgres --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
 && apt-get update \
 && apt-get install -y --no-install-recommends postgresql-common \
 && echo "create_main_cluster = off" >> /etc/postgresql-common/createcluster.conf \
 && apt-get install -y --no-install-recommends postgresql \
 && rm -rf /usr/lib/*/libLLVM* /usr/lib/postgresql/*/lib/bitcode /usr/lib/postgresql/*/lib/llvmjit* \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && ln -s /usr/lib/postgresql/*/bin /usr/local/lib/postgresql
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/lib/postgresql LANG=C.UTF-8
USER 999:999
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
