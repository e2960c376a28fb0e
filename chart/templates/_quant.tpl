{{- define "roadstead.quantEndpoint" -}}
{{- if .Values.quant.embedded.enabled -}}
http://{{ include "roadstead.fullname" . }}-quant.{{ .Release.Namespace }}.svc:8090
{{- else -}}
{{- .Values.quant.endpoint -}}
{{- end -}}
{{- end -}}

{{/* The hosts that models may be read from, as a JSON list: also that of the URLs of the embedded Quant service. */}}
{{- define "roadstead.sourceAllow" -}}
{{- $allow := .Values.source.allow -}}
{{- with .Values.quant.embedded -}}
{{- if .enabled -}}
{{- $host := trimSuffix "/" .endpoint -}}
{{- if eq .addressing "virtualHost" -}}
{{- $host = $host | replace "://" (printf "://%s." .bucket) -}}
{{- end -}}
{{- $allow = append $allow $host | uniq -}}
{{- end -}}
{{- end -}}
{{- toJson $allow -}}
{{- end -}}

{{- define "roadstead.quantEgress" -}}
{{- if .Values.quant.embedded.enabled -}}
# The embedded Quant service.
- to:
    - podSelector:
        matchLabels: {{- include "roadstead.selector" (dict "root" . "component" "quant") | nindent 10 }}
  ports:
    - port: 8090
      protocol: TCP
{{- end -}}
{{- end -}}

{{- define "roadstead.validateQuant" -}}
{{- with .Values.quant.embedded -}}
{{- if .enabled -}}
{{- if $.Values.quant.endpoint -}}
{{- fail "quant.endpoint is set, but quant.embedded.enabled is true: clear quant.endpoint, or set quant.embedded.enabled=false" -}}
{{- end -}}
{{- if not .endpoint -}}
{{- fail "quant.embedded.enabled is true: set quant.embedded.endpoint to the http(s)://host[:port] of the S3 server with the gguf files, as pods reach it" -}}
{{- end -}}
{{- if not .existingSecret -}}
{{- fail "quant.embedded.enabled is true: set quant.embedded.existingSecret to a Secret with the keys accessKey and secretKey, which may read the bucket" -}}
{{- end -}}
{{- else if or .endpoint .existingSecret -}}
{{- fail "quant.embedded.endpoint or existingSecret is set, but quant.embedded.enabled is false: set quant.embedded.enabled=true, or clear both" -}}
{{- end -}}
{{- end -}}
{{- end -}}
