{{/* Whether a gateway is configured. */}}
{{- define "roadstead.hasGateway" -}}
{{- if ne .Values.gateway.kind "none" }}yes{{ end -}}
{{- end -}}

{{- define "roadstead.gatewaySecret" -}}
{{- .Values.gateway.existingSecret | default (printf "%s-gateway" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/* namespace/name[/section] of the Gateway of the HTTPRoutes. */}}
{{- define "roadstead.gatewayParent" -}}
{{- with .Values.gateway.parent -}}
{{- list (.namespace | default $.Values.gateway.namespace) .name .sectionName | compact | join "/" -}}
{{- end -}}
{{- end -}}

{{/* The operator's settings of the gateway; without a gateway, the namespace that may call servers. */}}
{{- define "roadstead.gatewayEnv" -}}
{{- $fullname := include "roadstead.fullname" . -}}
- name: ROADSTEAD_GATEWAY_NAMESPACE
  value: {{ .Values.gateway.namespace | quote }}
{{- if include "roadstead.hasGateway" . }}
- name: ROADSTEAD_GATEWAY_KIND
  value: {{ .Values.gateway.kind }}
- name: ROADSTEAD_GATEWAY_URL
  value: {{ .Values.gateway.url | quote }}
{{- include "roadstead.gatewayAddressEnv" . }}
- name: ROADSTEAD_GATEWAY_KEY_FILE
  value: /etc/roadstead/gateway/key
{{- if eq .Values.gateway.kind "traefik" }}
- name: ROADSTEAD_GATEWAY_ENTRY_POINTS
  value: {{ join "," .Values.gateway.entryPoints | quote }}
{{- with .Values.gateway.certResolver }}
- name: ROADSTEAD_GATEWAY_CERT_RESOLVER
  value: {{ . | quote }}
{{- end }}
{{- else }}
- name: ROADSTEAD_GATEWAY_PARENT
  value: {{ include "roadstead.gatewayParent" . | quote }}
{{- end }}
- name: ROADSTEAD_GATEWAY_MAX_IN_FLIGHT
  value: {{ int .Values.gateway.maxInFlight | quote }}
{{- include "roadstead.corsEnv" . }}
{{- if include "roadstead.hasConsole" . }}
- name: ROADSTEAD_CONSOLE_SERVICE
  value: {{ $fullname }}-console
{{- include "roadstead.consoleUrlEnv" . }}
{{- end }}
- name: ROADSTEAD_FORWARD_AUTH_URL
  value: http://{{ $fullname }}-forward-auth.{{ .Release.Namespace }}.svc
{{- end }}
{{- end -}}

{{/* The origins whose pages may call servers, for the operator and forward auth. */}}
{{- define "roadstead.corsEnv" -}}
{{- with .Values.gateway.cors.origins }}
- name: ROADSTEAD_GATEWAY_CORS_ORIGINS
  value: {{ join "," . | quote }}
{{- end }}
{{- end -}}

{{/* How the gateway is called from within the cluster: by the operator's probes and the console. */}}
{{- define "roadstead.gatewayAddressEnv" -}}
{{- with .Values.gateway.address }}
- name: ROADSTEAD_GATEWAY_ADDRESS
  value: {{ . | quote }}
{{- end }}
{{- if .Values.gateway.caBundle }}
- name: ROADSTEAD_GATEWAY_CA_FILE
  value: /etc/roadstead/gateway-ca/ca.crt
{{- end }}
{{- end -}}

{{/* The gateway's pods, and its address if that differs. */}}
{{- define "roadstead.gatewayEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.gateway.namespace }}
{{- $address := .Values.gateway.address | default (trimPrefix "https://" .Values.gateway.url) }}
{{- if not (regexMatch "\\.svc(\\.|:|$)" $address) }}
- ports: {{- include "roadstead.ports" (list (printf "https://%s" $address)) | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "roadstead.gatewayKeyVolume" -}}
- name: gateway
  secret:
    secretName: {{ include "roadstead.gatewaySecret" . }}
    items:
      - key: key
        path: key
    defaultMode: 0440
{{- end -}}

{{- define "roadstead.gatewayKeyMount" -}}
- name: gateway
  mountPath: /etc/roadstead/gateway
  readOnly: true
{{- end -}}
