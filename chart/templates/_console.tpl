{{/* Whether there is a console: it shows the ledger, through the gateway. */}}
{{- define "roadstead.hasConsole" -}}
{{- if and .Values.console.enabled .Values.ledger.enabled (include "roadstead.hasGateway" .) }}yes{{ end -}}
{{- end -}}

{{- define "roadstead.consoleEnv" -}}
- name: ROADSTEAD_CONSOLE_POLL_SECONDS
  value: {{ int .Values.console.pollSeconds | quote }}
{{- end -}}
