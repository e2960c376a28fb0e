{{/*
The proxy of one use: takes root, proxy (source.proxy or tokens.proxy) and use, SOURCE or TOKENS.
*/}}
{{- define "roadstead.proxyEnv" -}}
{{- with .proxy }}
{{- if .url -}}
- name: ROADSTEAD_{{ $.use }}_PROXY_URL
  value: {{ .url | quote }}
- name: ROADSTEAD_{{ $.use }}_NO_PROXY
  value: {{ join "," .noProxy | quote }}
{{- if .existingSecret }}
- name: ROADSTEAD_{{ $.use }}_PROXY_CREDENTIALS_DIR
  value: /etc/roadstead/{{ lower $.use }}-proxy
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "roadstead.proxyMount" -}}
{{- if and .proxy.url .proxy.existingSecret -}}
- name: {{ lower .use }}-proxy
  mountPath: /etc/roadstead/{{ lower .use }}-proxy
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "roadstead.proxyVolume" -}}
{{- if and .proxy.url .proxy.existingSecret -}}
- name: {{ lower .use }}-proxy
  secret:
    secretName: {{ .proxy.existingSecret | quote }}
    items:
      - key: username
        path: username
      - key: password
        path: password
    defaultMode: 0440
{{- end -}}
{{- end -}}

{{/* The way to a proxy, at any address: takes proxy. */}}
{{- define "roadstead.proxyEgress" -}}
{{- if .proxy.url -}}
# The proxy.
- ports: {{- include "roadstead.ports" (list .proxy.url) | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateProxies" -}}
{{- range $name, $proxy := dict "source.proxy" .Values.source.proxy "tokens.proxy" .Values.tokens.proxy -}}
{{- if and $proxy.existingSecret (not $proxy.url) -}}
{{- fail (printf "%s.existingSecret is set: set %s.url to the proxy, http://host:port, or clear %s.existingSecret" $name $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
