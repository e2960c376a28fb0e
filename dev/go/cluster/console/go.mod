module github.com/minio/console

go 1.26.0
