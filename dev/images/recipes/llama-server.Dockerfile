# llama.cpp's server alone. It needs the C library and nothing else of the base.
FROM debian:bookworm-slim
COPY llama-server /app/llama-server
ENV PATH=/app:/usr/bin:/bin LLAMA_ARG_HOST=0.0.0.0
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["llama-server"]
