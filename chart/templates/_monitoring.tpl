{{/* Fails if the cluster lacks the definitions of kinds that the chart would create. */}}
{{- define "roadstead.validateMonitoring" -}}
{{- $kinds := dict "podMonitor" "PodMonitor" "rules" "PrometheusRule" -}}
{{- range $part, $kind := $kinds -}}
{{- $api := printf "monitoring.coreos.com/v1/%s" $kind -}}
{{- if and (index $.Values.monitoring $part).enabled (not ($.Capabilities.APIVersions.Has $api)) -}}
{{- fail (printf "monitoring.%s.enabled is true, but the cluster has no kind %s: install the Prometheus operator's definitions first, or set it to false (with `helm template`, add --api-versions %s)" $part $kind $api) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The alerts of files/rules.yaml, each with the URL of its runbook. */}}
{{- define "roadstead.rules" -}}
{{- $rules := .Files.Get "files/rules.yaml" -}}
{{- with .Values.monitoring.rules.runbookUrl -}}
{{- $rules = $rules | replace "runbook_url: docs/operations/runbooks/" (printf "runbook_url: %s/" .) -}}
{{- end -}}
{{- $rules | trim -}}
{{- end -}}
