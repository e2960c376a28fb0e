package metrics

import (
	"context"

	"github.com/rs/zerolog/log"
	otypes "github.com/traefik/traefik/v3/pkg/observability/types"
)

// RegisterInfluxDB2 registers nothing: the gateway's metrics are read by Prometheus, so it is
// without InfluxDB's client.
func RegisterInfluxDB2(ctx context.Context, _ *otypes.InfluxDB2) Registry {
	log.Ctx(ctx).Error().Msg("built without InfluxDB")
	return nil
}

func StopInfluxDB2() {}
