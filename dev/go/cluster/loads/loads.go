// Package loads has what MinIO calls to read the OpenAPI description of its console, which is left
// out (../console).
package loads

type Document struct{}

func Embedded(_, _ []byte) (*Document, error) { return &Document{}, nil }
