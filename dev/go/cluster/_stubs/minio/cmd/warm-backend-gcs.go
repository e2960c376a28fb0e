package cmd

import (
	"errors"

	"github.com/minio/madmin-go/v3"
)

// Without Google Cloud Storage's client, and with it gRPC's xDS and Envoy's API: no store of the
// local cluster moves objects to another service.
func newWarmBackendGCS(madmin.TierGCS, string) (WarmBackend, error) {
	return nil, errors.New("built without tiering to Google Cloud Storage")
}
