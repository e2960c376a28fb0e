// Package elasticsearch has what MinIO's event target calls of Elasticsearch's client, and no
// client: no store of the local cluster sends its events there. The real one is a single package
// with 500 calls, of which MinIO uses seven.
package elasticsearch

import (
	"context"
	"errors"
	"io"
	"net/http"
)

type Config struct {
	Addresses          []string
	Username, Password string
	Transport          http.RoundTripper
	MaxRetries         int
}

type Client struct {
	Info, Ping, Exists, Delete, Index Call
	Indices                           struct{ ResolveIndex, Create Call }
}

// NewClient refuses, so that no Call is ever made.
func NewClient(Config) (*Client, error) { return nil, errors.New("built without Elasticsearch") }

type Call func(...any) (*Response, error)

func (Call) WithContext(context.Context) any { return nil }

func (Call) WithDocumentID(string) any { return nil }

type Response struct{ Body io.ReadCloser }

func (*Response) IsError() bool { return true }

func (*Response) String() string { return "" }
