package cmd

import (
	"errors"

	"github.com/minio/madmin-go/v3"
)

// Without Azure's client: no store of the local cluster moves objects to another service.
func newWarmBackendAzure(madmin.TierAzure, string) (WarmBackend, error) {
	return nil, errors.New("built without tiering to Azure")
}
