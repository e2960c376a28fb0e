{{/* Whether a gateway is configured. */}}
{{- define "roadstead.hasGateway" -}}
{{- if ne .Values.gateway.kind "none" }}yes{{ end -}}
{{- end -}}

{{/* The kind of the routes: those of the embedded gateway are Traefik's own. */}}
{{- define "roadstead.gatewayKind" -}}
{{- ternary "traefik" .Values.gateway.kind (eq .Values.gateway.kind "embedded") -}}
{{- end -}}

{{/* What callers reach servers by. The default is where `kubectl port-forward` serves the gateway. */}}
{{- define "roadstead.gatewayUrl" -}}
{{- .Values.gateway.url | default (ternary "https://localhost:8443" "" (eq .Values.gateway.kind "embedded")) -}}
{{- end -}}

{{/* host:port of the gateway for the operator, the console and the test; empty: that of the URL. */}}
{{- define "roadstead.gatewayAddress" -}}
{{- if include "roadstead.hasEmbeddedGateway" . -}}
{{ include "roadstead.embeddedGateway" . }}.{{ .Release.Namespace }}.svc:{{ .Values.gateway.embedded.service.ports.websecure }}
{{- else -}}
{{- .Values.gateway.address -}}
{{- end -}}
{{- end -}}

{{/* The namespace of the gateway's pods. */}}
{{- define "roadstead.gatewayNamespace" -}}
{{- ternary .Release.Namespace .Values.gateway.namespace (eq .Values.gateway.kind "embedded") -}}
{{- end -}}

{{/* Whether the gateway's certificate has an authority that clients have to be given. */}}
{{- define "roadstead.hasGatewayCA" -}}
{{- if and (include "roadstead.hasGateway" .) (or .Values.gateway.caBundle (include "roadstead.hasSelfSignedGateway" .)) }}yes{{ end -}}
{{- end -}}

{{/* A NetworkPolicyPeer: the gateway's pods. */}}
{{- define "roadstead.gatewayPeer" -}}
{{- if include "roadstead.hasEmbeddedGateway" . -}}
podSelector:
  matchLabels: {{- include "roadstead.selector" (dict "root" . "component" "gateway") | nindent 4 }}
{{- else -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ .Values.gateway.namespace }}
{{- end -}}
{{- end -}}

{{- define "roadstead.gatewaySecret" -}}
{{- .Values.gateway.existingSecret | default (printf "%s-gateway" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/* namespace/name[/section] of the Gateway of the HTTPRoutes. */}}
{{- define "roadstead.gatewayParent" -}}
{{- with .Values.gateway.parent -}}
{{- list (.namespace | default (include "roadstead.gatewayNamespace" $)) .name .sectionName | compact | join "/" -}}
{{- end -}}
{{- end -}}

{{/* The operator's settings of the gateway; without a gateway, the namespace that may call servers. */}}
{{- define "roadstead.gatewayEnv" -}}
{{- $fullname := include "roadstead.fullname" . -}}
- name: ROADSTEAD_GATEWAY_NAMESPACE
  value: {{ include "roadstead.gatewayNamespace" . | quote }}
{{- if include "roadstead.hasGateway" . }}
- name: ROADSTEAD_GATEWAY_KIND
  value: {{ include "roadstead.gatewayKind" . }}
- name: ROADSTEAD_GATEWAY_URL
  value: {{ include "roadstead.gatewayUrl" . | quote }}
{{- include "roadstead.gatewayAddressEnv" . }}
- name: ROADSTEAD_GATEWAY_KEY_FILE
  value: /etc/roadstead/gateway/key
{{- if eq (include "roadstead.gatewayKind" .) "traefik" }}
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
{{- if include "roadstead.hasEmbeddedGateway" . }}
- name: ROADSTEAD_GATEWAY_SERVICE
  value: {{ include "roadstead.embeddedGateway" . }}
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
{{- with include "roadstead.gatewayAddress" . }}
- name: ROADSTEAD_GATEWAY_ADDRESS
  value: {{ . | quote }}
{{- end }}
{{- if include "roadstead.hasGatewayCA" . }}
- name: ROADSTEAD_GATEWAY_CA_FILE
  value: /etc/roadstead/gateway-ca/ca.crt
{{- end }}
{{- end -}}

{{/* The gateway's pods, and its address if that differs. */}}
{{- define "roadstead.gatewayEgress" -}}
- to:
    - {{- include "roadstead.gatewayPeer" . | nindent 6 }}
{{- $address := include "roadstead.gatewayAddress" . | default (trimPrefix "https://" .Values.gateway.url) }}
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
