{{/* Whether anything verifies tokens: the webhooks, or the gateway's forward auth. */}}
{{- define "roadstead.verifiesTokens" -}}
{{- if or .Values.webhooks.enabled (ne .Values.gateway.kind "none") }}yes{{ end -}}
{{- end -}}

{{- define "roadstead.jwtSecret" -}}
{{- .Values.tokens.local.existingSecret | default (printf "%s-jwt" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/* The issuers of valid tokens, in the format of ROADSTEAD_TOKEN_ISSUERS_FILE. */}}
{{- define "roadstead.issuers" -}}
{{- $issuers := list -}}
{{- with .Values.tokens.local -}}
{{- if .enabled -}}
{{- $issuer := dict "issuer" .issuer "audience" .audience "secretFile" "/etc/roadstead/jwt/secret" "subjectPrefix" (.subjectPrefix | default "") "groupsPrefix" (.groupsPrefix | default "") -}}
{{- $issuers = append $issuers $issuer -}}
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

{{/* The settings of both verifiers of tokens. */}}
{{- define "roadstead.tokenEnv" -}}
- name: ROADSTEAD_TOKEN_ISSUERS_FILE
  value: /etc/roadstead/issuers/issuers.yaml
- name: ROADSTEAD_TOKEN_LEEWAY_SECONDS
  value: {{ int .Values.tokens.leewaySeconds | quote }}
- name: ROADSTEAD_TOKEN_MAX_LIFETIME_SECONDS
  value: {{ int .Values.tokens.maxLifetimeSeconds | quote }}
- name: ROADSTEAD_REVOCATIONS
  value: {{ include "roadstead.fullname" . }}-revocations
{{- include "roadstead.trustEnv" . | nindent 0 }}
{{- include "roadstead.proxyEnv" (dict "proxy" .Values.tokens.proxy "use" "TOKENS") | nindent 0 }}
{{- end -}}

{{- define "roadstead.tokenMounts" -}}
- name: issuers
  mountPath: /etc/roadstead/issuers
  readOnly: true
{{- if .Values.tokens.local.enabled }}
- name: jwt
  mountPath: /etc/roadstead/jwt
  readOnly: true
{{- end }}
{{- range $number, $issuer := .Values.tokens.issuers }}
{{- if $issuer.existingSecret }}
- name: issuer-{{ $number }}
  mountPath: /etc/roadstead/issuer-{{ $number }}
  readOnly: true
{{- end }}
{{- end }}
{{- include "roadstead.trustMount" . | nindent 0 }}
{{- include "roadstead.proxyMount" (dict "proxy" .Values.tokens.proxy "use" "TOKENS") | nindent 0 }}
{{- end -}}

{{- define "roadstead.tokenVolumes" -}}
- name: issuers
  configMap:
    name: {{ include "roadstead.fullname" . }}-issuers
{{- if .Values.tokens.local.enabled }}
- name: jwt
  secret:
    secretName: {{ include "roadstead.jwtSecret" . }}
    items:
      - key: secret
        path: secret
    defaultMode: 0440
{{- end }}
{{- range $number, $issuer := .Values.tokens.issuers }}
{{- with $issuer.existingSecret }}
- name: issuer-{{ $number }}
  secret:
    secretName: {{ . }}
    items:
      - key: secret
        path: secret
    defaultMode: 0440
{{- end }}
{{- end }}
{{- include "roadstead.trustVolume" . | nindent 0 }}
{{- include "roadstead.proxyVolume" (dict "proxy" .Values.tokens.proxy "use" "TOKENS") | nindent 0 }}
{{- end -}}
