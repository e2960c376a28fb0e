// Package api has what MinIO sets and calls to serve its web console, and no console: it brings
// 20 MB of pages, the whole of mc and an OpenAPI server. The local cluster's stores have none.
package api

import (
	"fmt"
	"os"

	"github.com/minio/console/api/operations"
	"github.com/minio/console/pkg/auth/idp/oauth2"
)

var (
	SwaggerJSON, FlatSwaggerJSON                            []byte
	GlobalRootCAs, GlobalPublicCerts, GlobalTLSCertsManager any
	GlobalMinIOConfig                                       MinIOConfig
	Hostname, Port, TLSPort                                 string
	LogInfo, LogError                                       func(string, ...any)
)

type MinIOConfig struct{ OpenIDProviders oauth2.OpenIDPCfg }

type Server struct {
	Host             string
	Port, TLSPort    int
	EnabledListeners []string
}

func NewServer(*operations.ConsoleAPI) *Server { return &Server{} }

func (*Server) ConfigureAPI() {}

// Serve returns at once: MinIO ends if it fails, and serves objects as well without a console.
func (*Server) Serve() error {
	fmt.Fprintln(os.Stderr, "built without the console; MINIO_BROWSER=off says so to MinIO")
	return nil
}

func (*Server) Shutdown() error { return nil }
