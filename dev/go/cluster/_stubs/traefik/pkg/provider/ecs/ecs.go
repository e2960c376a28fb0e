// Package ecs is Traefik's provider for Amazon ECS without the AWS SDK, whose package for EC2 alone
// takes as long to compile as MinIO: the gateway reads its routes from Kubernetes.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

const ProviderName = "ecs"

// Provider refuses to start.
type Provider struct{}

func (*Provider) Init() error { return errors.New("built without the ECS provider") }

func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
