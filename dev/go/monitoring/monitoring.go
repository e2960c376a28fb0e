// Package monitoring keeps the types that the definitions of monitoring.coreos.com are made from.
package monitoring

import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
