{{/* Whether the chart renders the Secrets that it generates; else a Job creates them. */}}
{{- define "roadstead.rendersSecrets" -}}
{{- if eq .Values.secrets.generate "template" }}yes{{ end -}}
{{- end -}}

{{- define "roadstead.validateSecrets" -}}
{{- if and (eq .Values.secrets.generate "job") (include "roadstead.hasSelfSignedGateway" .) -}}
{{- fail "secrets.generate is job, but gateway.embedded.certificate.mode is self, which makes another certificate at each rendering: set gateway.embedded.certificate.mode to cert-manager or given" -}}
{{- end -}}
{{- end -}}

{{/* The Secrets that the Job creates, as JSON for `roadstead generate-secrets`. */}}
{{- define "roadstead.generatedSecrets" -}}
{{- $found := list -}}
{{- $operator := include "roadstead.labels" (dict "root" . "component" "operator") | fromYaml -}}
{{- if not .Values.store.existingSecret -}}
{{- $found = append $found (dict "name" (include "roadstead.storeSecret" .) "labels" $operator "values" (dict "accessKey" (dict "size" 20) "secretKey" (dict "size" 40))) -}}
{{- end -}}
{{- if not .Values.quant.existingSecret -}}
{{- $found = append $found (dict "name" (include "roadstead.quantSecret" .) "labels" $operator "values" (dict "key" (dict "size" 48))) -}}
{{- end -}}
{{- if and (include "roadstead.verifiesTokens" .) .Values.tokens.local.enabled (not .Values.tokens.local.existingSecret) -}}
{{- $marks := dict "model.example.com/issuer" .Values.tokens.local.issuer "model.example.com/audience" .Values.tokens.local.audience -}}
{{- $found = append $found (dict "name" (include "roadstead.jwtSecret" .) "labels" (include "roadstead.labels" (dict "root" . "component" "tokens") | fromYaml) "annotations" $marks "values" (dict "secret" (dict "size" 48))) -}}
{{- end -}}
{{- if and (include "roadstead.hasGateway" .) (not .Values.gateway.existingSecret) -}}
{{- $found = append $found (dict "name" (include "roadstead.gatewaySecret" .) "labels" (include "roadstead.labels" (dict "root" . "component" "gateway") | fromYaml) "values" (dict "key" (dict "size" 48))) -}}
{{- end -}}
{{- if include "roadstead.hasPostgres" . -}}
{{- range $role := list "owner" "writer" "reader" -}}
{{- if not (get $.Values.ledger.existingSecrets $role) -}}
{{- $of := dict "root" $ "role" $role -}}
{{- $form := include "roadstead.ledgerDsnForm" $of -}}
{{- $found = append $found (dict "name" (include "roadstead.ledgerSecret" $of) "labels" (include "roadstead.labels" (dict "root" $ "component" "postgres") | fromYaml) "values" (dict "dsn" (dict "size" 32 "form" $form))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Annotations of the Job and what it needs: hooks, before anything else, by weight. */}}
{{- define "roadstead.generating" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
