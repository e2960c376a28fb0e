# llama.cpp's server from Debian's packages, with a shell for debugging.
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/bin:/bin LLAMA_ARG_HOST=0.0.0.0
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["llama-server"]
