{{/* Whether the ledger is in the chart's own Postgres. */}}
{{- define "roadstead.hasPostgres" -}}
{{- if and .Values.ledger.enabled .Values.postgres.embedded }}yes{{ end -}}
{{- end -}}

{{/* The Secret with the DSN of a role: takes root and role. */}}
{{- define "roadstead.ledgerSecret" -}}
{{- $given := get .root.Values.ledger.existingSecrets .role -}}
{{- $given | default (printf "%s-ledger-%s" (include "roadstead.fullname" .root) .role) -}}
{{- end -}}

{{/*
The embedded Postgres's DSN for a role, base64: with the password of the existing Secret, else with a
new one. Takes root and role.
*/}}
{{- define "roadstead.ledgerDsn" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace (include "roadstead.ledgerSecret" .) -}}
{{- $kept := dig "data" "dsn" "" ($found | default dict) | b64dec | regexFind "//[^:@/]+:[^@/]+@" -}}
{{- $password := regexReplaceAll "^//[^:]+:(.*)@$" $kept "${1}" | default (randAlphaNum 32) -}}
{{- printf (include "roadstead.ledgerDsnForm" .) $password | b64enc -}}
{{- end -}}

{{/* That DSN with %s in place of the password. Takes root and role. */}}
{{- define "roadstead.ledgerDsnForm" -}}
{{- $host := printf "%s-postgres.%s.svc" (include "roadstead.fullname" .root) .root.Release.Namespace -}}
{{- printf "postgresql://roadstead_%s:%%s@%s:5432/roadstead?sslmode=disable" .role $host -}}
{{- end -}}

{{- define "roadstead.ledgerEnv" -}}
{{- if .Values.ledger.enabled -}}
- name: ROADSTEAD_LEDGER_DSN_FILE
  value: /etc/roadstead/ledger/dsn
{{- end -}}
{{- end -}}

{{/* For the operator, which deletes older rows, and for the Job, which stores it as the minimum. */}}
{{- define "roadstead.retentionEnv" -}}
{{- if .Values.ledger.enabled -}}
- name: ROADSTEAD_LEDGER_HISTORY_DAYS
  value: {{ int .Values.ledger.retention.historyDays | quote }}
- name: ROADSTEAD_LEDGER_USAGE_DAYS
  value: {{ int .Values.ledger.retention.usageDays | quote }}
- name: ROADSTEAD_LEDGER_ADMISSION_DAYS
  value: {{ int .Values.ledger.retention.admissionDays | quote }}
{{- end -}}
{{- end -}}

{{- define "roadstead.ledgerMount" -}}
{{- if .Values.ledger.enabled -}}
- name: ledger
  mountPath: /etc/roadstead/ledger
  readOnly: true
{{- end -}}
{{- end -}}

{{/*
The DSN of a role and the files that it may use for TLS, for a container with the mount above: takes
root and role.
*/}}
{{- define "roadstead.ledgerVolume" -}}
{{- if .root.Values.ledger.enabled -}}
- name: ledger
  projected:
    sources:
      - secret:
          name: {{ include "roadstead.ledgerSecret" . }}
          items:
            - key: dsn
              path: dsn
      - secret:
          name: {{ include "roadstead.ledgerSecret" . }}
          optional: true
          items:
            {{- range list "ca.crt" "tls.crt" "tls.key" }}
            - key: {{ . }}
              path: {{ . }}
            {{- end }}
    defaultMode: 0440
{{- end -}}
{{- end -}}

{{- define "roadstead.ledgerEgress" -}}
{{- if .Values.ledger.enabled -}}
# The ledger.
- ports:
    - port: {{ int (ternary 5432 .Values.ledger.port .Values.postgres.embedded) }}
      protocol: TCP
  {{- if .Values.postgres.embedded }}
  to:
    - podSelector:
        matchLabels: {{- include "roadstead.selector" (dict "root" . "component" "postgres") | nindent 10 }}
  {{- else }}
  {{- with .Values.networkPolicy.ledgerPeers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}
