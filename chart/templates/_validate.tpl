{{/* Rules that the schema can't express: constraints between values. */}}
{{- define "roadstead.validate" -}}
{{- include "roadstead.validateAdmission" . -}}
{{- include "roadstead.validateGateway" . -}}
{{- include "roadstead.validateConsole" . -}}
{{- include "roadstead.validateLedger" . -}}
{{- include "roadstead.validateMonitoring" . -}}
{{- include "roadstead.validateQuant" . -}}
{{- if and .Values.minio.embedded .Values.store.endpoint -}}
{{- fail "store.endpoint is set, but minio.embedded is true: set minio.embedded=false too, or clear store.endpoint" -}}
{{- end -}}
{{- if and .Values.minio.embedded (eq .Values.store.addressing "virtualHost") -}}
{{- fail "store.addressing is virtualHost: the embedded MinIO has one name for all buckets; set store.addressing=path, or set store.endpoint to an existing store" -}}
{{- end -}}
{{- if and (eq .Values.store.addressing "virtualHost") (regexMatch "^https?://([0-9.]+|\\[.*\\])(:[0-9]+)?/?$" .Values.store.endpoint) -}}
{{- fail (printf "store.addressing is virtualHost: %s is an IP address, which can't be prefixed with a bucket's name; set store.endpoint to the store's host name, or set store.addressing=path" .Values.store.endpoint) -}}
{{- end -}}
{{- if not .Values.minio.embedded -}}
{{- if not .Values.store.endpoint -}}
{{- fail "minio.embedded is false: set store.endpoint to the store's http(s)://host[:port]" -}}
{{- end -}}
{{- if not .Values.store.existingSecret -}}
{{- fail "minio.embedded is false: set store.existingSecret to a Secret with the keys accessKey and secretKey" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateLedger" -}}
{{- if and .Values.ledger.enabled (not .Values.postgres.embedded) -}}
{{- range $role := list "owner" "writer" "reader" -}}
{{- if not (get $.Values.ledger.existingSecrets $role) -}}
{{- fail (printf "postgres.embedded is false: set ledger.existingSecrets.%s to a Secret with the key dsn, postgresql://roadstead_%s:PASSWORD@HOST:5432/roadstead?sslmode=verify-full (docs/operations/ledger.md has the SQL to create the role), or set ledger.enabled=false" $role $role) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateAdmission" -}}
{{- $certificates := .Values.webhooks.certificates -}}
{{- if and (include "roadstead.verifiesTokens" .) (not .Values.tokens.local.enabled) (not .Values.tokens.issuers) -}}
{{- fail "tokens have no issuer: set tokens.local.enabled=true, or set tokens.issuers" -}}
{{- end -}}
{{- if and (eq $certificates.mode "cert-manager") (not $certificates.issuerRef.name) -}}
{{- fail "webhooks.certificates.mode is cert-manager: set webhooks.certificates.issuerRef.name" -}}
{{- end -}}
{{- if and (eq $certificates.mode "given") (not (and $certificates.existingSecret $certificates.caBundle)) -}}
{{- fail "webhooks.certificates.mode is given: set webhooks.certificates.existingSecret and webhooks.certificates.caBundle" -}}
{{- end -}}
{{- with .Values.webhooks.apiServer -}}
{{- if and .clientCABundle (not .clientNames) -}}
{{- fail "webhooks.apiServer.clientCABundle is set: set webhooks.apiServer.clientNames to the common names of the API server's client certificates, since the same authority may sign certificates of other clients" -}}
{{- end -}}
{{- if and .clientNames (not .clientCABundle) -}}
{{- fail "webhooks.apiServer.clientNames is set: set webhooks.apiServer.clientCABundle to the PEM certificates of their authority, or clear webhooks.apiServer.clientNames" -}}
{{- end -}}
{{- end -}}
{{- range $number, $issuer := .Values.tokens.issuers -}}
{{- $keys := list $issuer.publicKey $issuer.jwksUrl $issuer.existingSecret | compact -}}
{{- if ne (len $keys) 1 -}}
{{- fail (printf "tokens.issuers[%d]: set exactly one of publicKey, jwksUrl and existingSecret" $number) -}}
{{- end -}}
{{- end -}}
{{- include "roadstead.validatePrefixes" (include "roadstead.issuers" . | fromYamlArray) -}}
{{- end -}}

{{/* With several issuers, each needs its own prefixes, as the verifiers of tokens require. */}}
{{- define "roadstead.validatePrefixes" -}}
{{- if gt (len .) 1 -}}
{{- range $field := list "subjectPrefix" "groupsPrefix" "scopesPrefix" -}}
{{- $seen := dict -}}
{{- range $issuer := $ -}}
{{- if not (or (hasKey $issuer $field) (eq $field "scopesPrefix")) -}}
{{- fail (printf "issuer %s has no %s: with more than one issuer (tokens.local is one) each needs prefixes, so that their names differ. Set subjectPrefix and groupsPrefix in tokens.issuers to a text such as \"partner:\", or set tokens.local.enabled=false" $issuer.issuer $field) -}}
{{- end -}}
{{- $prefix := ternary (get $issuer $field) (get $issuer "groupsPrefix") (hasKey $issuer $field) -}}
{{- if hasKey $seen $prefix -}}
{{- fail (printf "issuers %s and %s have the same %s %q, so their names can't be distinguished: set a different one for each, such as \"partner:\"" (get $seen $prefix) $issuer.issuer $field $prefix) -}}
{{- end -}}
{{- $_ := set $seen $prefix $issuer.issuer -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateGateway" -}}
{{- with .Values.gateway -}}
{{- if ne .kind "none" -}}
{{- if not (regexMatch "^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$" (include "roadstead.gatewayUrl" $)) -}}
{{- fail (printf "gateway.kind is %s: set gateway.url to the public address, https://host[:port] in lower case with no path, such as https://models.example.com (it is %q)" .kind .url) -}}
{{- end -}}
{{- if eq .kind "embedded" -}}
{{- include "roadstead.validateEmbeddedGateway" $ -}}
{{- else if not .namespace -}}
{{- fail (printf "gateway.kind is %s: set gateway.namespace to the namespace of Traefik's pods, which alone may call servers and forward auth" .kind) -}}
{{- end -}}
{{- end -}}
{{- range .cors.origins -}}
{{- if or (not (regexMatch "^[a-z][a-z0-9+.-]*://([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\\[[0-9a-f:.]+\\])(:[1-9][0-9]{0,4})?$" .)) (regexMatch "^(https://.*[^:]:443|http://.*[^:]:80)$" .) -}}
{{- fail (printf "gateway.cors.origins: %q is not an origin as browsers send it: write scheme://host[:port] in lower case, without a path and without the scheme's default port, such as https://app.example.com; * and null are not allowed" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .kind "none") .cors.origins -}}
{{- fail "gateway.cors.origins is set, but gateway.kind is none: set gateway.kind, or clear the list" -}}
{{- end -}}
{{- if and (eq .kind "gateway-api") (not .parent.name) -}}
{{- fail "gateway.kind is gateway-api: set gateway.parent.name to the Gateway of the HTTPRoutes, and gateway.parent.namespace if it differs from gateway.namespace" -}}
{{- end -}}
{{- if and (ne .kind "gateway-api") .parent.name -}}
{{- fail (printf "gateway.parent.name is set, but gateway.kind %s uses no Gateway: set gateway.kind=gateway-api, or clear gateway.parent.name" .kind) -}}
{{- end -}}
{{- if and (eq .kind "gateway-api") .certResolver -}}
{{- fail "gateway.certResolver is set, but gateway.kind is gateway-api: the Gateway's listener has the certificate; clear gateway.certResolver" -}}
{{- end -}}
{{- end -}}
{{- end -}}
