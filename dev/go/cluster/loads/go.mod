module github.com/go-openapi/loads

go 1.26.0
