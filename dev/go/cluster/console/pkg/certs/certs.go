// Package certs has what MinIO tells its console of certificates.
package certs

type ConfigDir struct{ Path string }

var GlobalCertsDir, GlobalCertsCADir *ConfigDir
