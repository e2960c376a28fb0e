{{/* The prefix of every object's name; at most 40 characters, so that suffixes fit a DNS label. */}}
{{- define "roadstead.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "operator"). */}}
{{- define "roadstead.selector" -}}
app.kubernetes.io/name: roadstead
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "roadstead.labels" -}}
{{ include "roadstead.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: roadstead
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "roadstead.image" -}}
{{- .Values.images.roadstead | default (printf "registry.example.com/roadstead:%s" .Chart.AppVersion) -}}
{{- end -}}

{{- define "roadstead.storeEndpoint" -}}
{{- if .Values.minio.embedded -}}
http://{{ include "roadstead.fullname" . }}-minio.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{- .Values.store.endpoint -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.storeSecret" -}}
{{- .Values.store.existingSecret | default (printf "%s-store" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{- define "roadstead.quantSecret" -}}
{{- .Values.quant.existingSecret | default (printf "%s-quant" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/*
The port of each URL, or allow-list entry, of a list: the one it names, else its scheme's, else both.
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

{{/* Generated once: a Secret that is there already keeps its value. Takes root, secret, key, size. */}}
{{- define "roadstead.generated" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- $kept := dig "data" .key "" ($found | default dict) -}}
{{- $kept | default (randAlphaNum (int .size) | b64enc) -}}
{{- end -}}

{{- define "roadstead.jwtSecret" -}}
{{- .Values.tokens.local.existingSecret | default (printf "%s-jwt" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{- define "roadstead.tlsSecret" -}}
{{- $certificates := .Values.webhooks.certificates -}}
{{- $certificates.existingSecret | default (printf "%s-webhooks-tls" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/* The issuers whose tokens count, as ROADSTEAD_TOKEN_ISSUERS_FILE takes them. */}}
{{- define "roadstead.issuers" -}}
{{- $issuers := list -}}
{{- with .Values.tokens.local -}}
{{- if .enabled -}}
{{- $issuers = append $issuers (dict "issuer" .issuer "audience" .audience "secretFile" "/etc/roadstead/jwt/secret") -}}
{{- end -}}
{{- end -}}
{{- range $number, $given := .Values.tokens.issuers -}}
{{- $issuer := omit $given "publicKey" "ca" "existingSecret" -}}
{{- if $given.publicKey -}}
{{- $_ := set $issuer "publicKeyFile" (printf "/etc/roadstead/issuers/key-%d.pem" $number) -}}
{{- end -}}
{{- if $given.ca -}}
{{- $_ := set $issuer "caFile" (printf "/etc/roadstead/issuers/ca-%d.pem" $number) -}}
{{- end -}}
{{- if $given.existingSecret -}}
{{- $_ := set $issuer "secretFile" (printf "/etc/roadstead/issuer-%d/secret" $number) -}}
{{- end -}}
{{- $issuers = append $issuers $issuer -}}
{{- end -}}
{{- toYaml $issuers -}}
{{- end -}}

{{/* The `restricted` Pod Security Standard. */}}
{{- define "roadstead.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "roadstead.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What the schema can't say: fields that only make sense together. */}}
{{- define "roadstead.validate" -}}
{{- include "roadstead.validateAdmission" . -}}
{{- if and .Values.minio.embedded .Values.store.endpoint -}}
{{- fail "store.endpoint names an existing store: set minio.embedded=false too, or leave store.endpoint empty" -}}
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

{{- define "roadstead.validateAdmission" -}}
{{- $certificates := .Values.webhooks.certificates -}}
{{- if and .Values.webhooks.enabled (not .Values.tokens.local.enabled) (not .Values.tokens.issuers) -}}
{{- fail "nobody could apply anything: set tokens.local.enabled=true or name an issuer in tokens.issuers" -}}
{{- end -}}
{{- if and (eq $certificates.mode "cert-manager") (not $certificates.issuerRef.name) -}}
{{- fail "webhooks.certificates.mode is cert-manager: set webhooks.certificates.issuerRef.name" -}}
{{- end -}}
{{- if and (eq $certificates.mode "given") (not (and $certificates.existingSecret $certificates.caBundle)) -}}
{{- fail "webhooks.certificates.mode is given: set webhooks.certificates.existingSecret and caBundle" -}}
{{- end -}}
{{- range $number, $issuer := .Values.tokens.issuers -}}
{{- $keys := list $issuer.publicKey $issuer.jwksUrl $issuer.existingSecret | compact -}}
{{- if ne (len $keys) 1 -}}
{{- fail (printf "tokens.issuers[%d]: set exactly one of publicKey, jwksUrl and existingSecret" $number) -}}
{{- end -}}
{{- end -}}
{{- end -}}
