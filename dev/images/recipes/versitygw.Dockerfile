# versitygw with a shell, as in the published image: the chart's start command needs it.
FROM debian:bookworm-slim
COPY versitygw /usr/local/bin/versitygw
USER 65532:65532
EXPOSE 9000
ENTRYPOINT ["versitygw"]
