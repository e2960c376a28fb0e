// Package redis is Traefik's provider for Redis without its client: the gateway reads its routes
// from Kubernetes.
package redis

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

const ProviderName = "redis"

// Provider refuses to start.
type Provider struct{}

func (*Provider) Init() error { return errors.New("built without the Redis provider") }

func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
