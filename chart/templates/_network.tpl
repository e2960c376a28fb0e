{{/* Whether the chart restricts access to the embedded store. */}}
{{- define "roadstead.hasStorePolicy" -}}
{{- if and .Values.store.embedded.enabled .Values.networkPolicy.enabled }}yes{{ end -}}
{{- end -}}

{{- define "roadstead.nameEgress" -}}
# DNS.
- ports:
    {{- range .Values.networkPolicy.dns.ports }}
    - port: {{ int . }}
      protocol: UDP
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
  {{- with .Values.networkPolicy.dns.peers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The peers of servers' pods, for the NetworkPolicies that the operator writes. */}}
{{- define "roadstead.serverPeersEnv" -}}
- name: ROADSTEAD_SERVER_CALLERS
  value: {{ .Values.servers.callers | default list | toJson | quote }}
{{- if not .Values.store.embedded.enabled }}
- name: ROADSTEAD_STORE_PEERS
  value: {{ .Values.networkPolicy.storePeers | default list | toJson | quote }}
{{- end }}
- name: ROADSTEAD_DNS_PEERS
  value: {{ .Values.networkPolicy.dns.peers | default list | toJson | quote }}
- name: ROADSTEAD_DNS_PORTS
  value: {{ join "," .Values.networkPolicy.dns.ports | quote }}
{{- end -}}

{{/* DNS and the Kubernetes API, for every component with a token. */}}
{{- define "roadstead.clusterEgress" -}}
{{- include "roadstead.nameEgress" . }}
# The Kubernetes API.
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{/* The addresses that issuers' keys are read from. */}}
{{- define "roadstead.issuerEgress" -}}
{{- $urls := list }}
{{- range .Values.tokens.issuers }}
{{- with .jwksUrl }}
{{- $parts := urlParse . }}
{{- $urls = append $urls (printf "%s://%s" $parts.scheme $parts.host) }}
{{- end }}
{{- end }}
{{- with $urls -}}
# The issuers' keys.
- ports: {{- include "roadstead.ports" . | nindent 4 }}
{{- end -}}
{{- include "roadstead.proxyEgress" (dict "proxy" .Values.tokens.proxy) | nindent 0 }}
{{- end -}}

{{- define "roadstead.storeEgress" -}}
# The store.
{{- if .Values.store.embedded.enabled }}
- to:
    - podSelector:
        matchLabels: {{- include "roadstead.selector" (dict "root" . "component" "store") | nindent 10 }}
  ports:
    - port: 9000
      protocol: TCP
{{- else }}
- ports: {{- include "roadstead.ports" (list .Values.store.endpoint) | nindent 4 }}
  {{- with .Values.networkPolicy.storePeers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The Quant service and sources; takes (dict "root" $ "from" list). */}}
{{- define "roadstead.sourceEgress" -}}
{{- with .from -}}
# The Quant service and the sources; their client checks each address.
- ports: {{- include "roadstead.ports" . | nindent 4 }}
  {{- with $.root.Values.networkPolicy.sourcePeers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- include "roadstead.proxyEgress" (dict "proxy" .root.Values.source.proxy) | nindent 0 }}
{{- end -}}

{{/*
The ports of a list of URLs or allow-list entries: the explicit port, else the scheme's, else both.
*/}}
{{- define "roadstead.ports" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $named := regexFind ":[0-9]+/?$" . | trimPrefix ":" | trimSuffix "/" -}}
{{- if $named -}}
{{- $ports = append $ports $named -}}
{{- else -}}
{{- if not (hasPrefix "http://" .) }}{{ $ports = append $ports "443" }}{{ end -}}
{{- if not (hasPrefix "https://" .) }}{{ $ports = append $ports "80" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $ports | uniq | sortAlpha }}
- port: {{ . }}
  protocol: TCP
{{- end -}}
{{- end -}}
