package plugins

import (
	"context"
	"errors"
	"net/http"

	"github.com/traefik/traefik/v3/pkg/provider"
)

var errLeftOut = errors.New("built without plugins")

type Constructor func(context.Context, http.Handler) (http.Handler, error)

// Builder builds no plugin: the gateway has none, so it is without the interpreters that run them,
// Yaegi for Go and wazero for WebAssembly.
type Builder struct{}

func NewBuilder(_ *Manager, remote map[string]Descriptor, local map[string]LocalDescriptor) (*Builder, error) {
	if len(remote)+len(local) > 0 {
		return nil, errLeftOut
	}
	return &Builder{}, nil
}

func (Builder) Build(string, map[string]any, string) (Constructor, error) {
	return nil, errLeftOut
}

func (Builder) BuildProvider(string, map[string]any) (provider.Provider, error) {
	return nil, errLeftOut
}
