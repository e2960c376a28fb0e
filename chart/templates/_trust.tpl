{{/* Private authorities, beside the system's or in their place. */}}
{{- define "roadstead.hasTrust" -}}
{{- if or .Values.trust.configMap .Values.trust.secret }}yes{{ end -}}
{{- end -}}

{{- define "roadstead.trustEnv" -}}
{{- if include "roadstead.hasTrust" . -}}
- name: ROADSTEAD_TRUST_FILE
  value: /etc/roadstead/trust/ca.crt
- name: ROADSTEAD_TRUST_MODE
  value: {{ .Values.trust.mode }}
{{- end -}}
{{- end -}}

{{/* A folder, not a subPath: a subPath is never updated. */}}
{{- define "roadstead.trustMount" -}}
{{- if include "roadstead.hasTrust" . -}}
- name: trust
  mountPath: /etc/roadstead/trust
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "roadstead.trustVolume" -}}
{{- if include "roadstead.hasTrust" . -}}
- name: trust
  {{- if .Values.trust.configMap }}
  configMap:
    name: {{ .Values.trust.configMap | quote }}
  {{- else }}
  secret:
    secretName: {{ .Values.trust.secret | quote }}
    defaultMode: 0440
  {{- end }}
    items:
      - key: {{ .Values.trust.key | quote }}
        path: ca.crt
{{- end -}}
{{- end -}}

{{- define "roadstead.validateTrust" -}}
{{- with .Values.trust -}}
{{- if and .configMap .secret -}}
{{- fail (printf "trust.configMap is %s and trust.secret is %s: set one of them, and clear the other" .configMap .secret) -}}
{{- end -}}
{{- if and (not .configMap) (not .secret) (eq .mode "replace") -}}
{{- fail "trust.mode is replace: set trust.configMap or trust.secret to the object with the authorities, or set trust.mode=add" -}}
{{- end -}}
{{- end -}}
{{- end -}}
