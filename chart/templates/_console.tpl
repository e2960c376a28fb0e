{{/* Whether the console is installed: it requires the ledger and the gateway. */}}
{{- define "roadstead.hasConsole" -}}
{{- if and .Values.console.enabled .Values.ledger.enabled (include "roadstead.hasGateway" .) }}yes{{ end -}}
{{- end -}}

{{/* Whether the console has a separate host. */}}
{{- define "roadstead.hasConsoleHost" -}}
{{- if and (include "roadstead.hasConsole" .) .Values.console.url }}yes{{ end -}}
{{- end -}}

{{/* The console's public URL. */}}
{{- define "roadstead.consoleUrl" -}}
{{- .Values.console.url | default (include "roadstead.gatewayUrl" .) -}}
{{- end -}}

{{- define "roadstead.consoleUrlEnv" -}}
{{- if include "roadstead.hasConsoleHost" . }}
- name: ROADSTEAD_CONSOLE_URL
  value: {{ .Values.console.url | quote }}
{{- end }}
{{- end -}}

{{- define "roadstead.consoleEnv" -}}
- name: ROADSTEAD_GATEWAY_KIND
  value: {{ include "roadstead.gatewayKind" . }}
{{- include "roadstead.consoleUrlEnv" . }}
{{- if include "roadstead.hasConsoleHost" . }}
{{- include "roadstead.gatewayAddressEnv" . }}
{{- end }}
- name: ROADSTEAD_CONSOLE_POLL_SECONDS
  value: {{ int .Values.console.pollSeconds | quote }}
{{- with .Values.console.oidc }}
{{- if .issuer }}
- name: ROADSTEAD_CONSOLE_OIDC_ISSUER
  value: {{ .issuer | quote }}
- name: ROADSTEAD_CONSOLE_OIDC_CLIENT_ID
  value: {{ .clientId | quote }}
- name: ROADSTEAD_CONSOLE_OIDC_SCOPES
  value: {{ join " " .scopes | quote }}
- name: ROADSTEAD_CONSOLE_OIDC_TOKEN
  value: {{ .token }}
{{- if .existingSecret }}
- name: ROADSTEAD_CONSOLE_OIDC_CLIENT_SECRET_FILE
  value: /etc/roadstead/oidc/clientSecret
{{- end }}
{{- with include "roadstead.oidcAuthority" $ }}
- name: ROADSTEAD_CONSOLE_OIDC_CA_FILE
  value: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The CA file of the provider: that of the issuer of the same name, if it has one. */}}
{{- define "roadstead.oidcAuthority" -}}
{{- range $number, $issuer := .Values.tokens.issuers -}}
{{- if and $issuer.ca (eq $issuer.issuer $.Values.console.oidc.issuer) -}}
/etc/roadstead/issuers/ca-{{ $number }}.pem
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.oidcMount" -}}
{{- if .Values.console.oidc.existingSecret -}}
- name: oidc
  mountPath: /etc/roadstead/oidc
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "roadstead.oidcVolume" -}}
{{- with .Values.console.oidc.existingSecret -}}
- name: oidc
  secret:
    secretName: {{ . }}
    items:
      - key: clientSecret
        path: clientSecret
    defaultMode: 0440
{{- end -}}
{{- end -}}

{{- define "roadstead.oidcEgress" -}}
{{- with .Values.console.oidc.issuer -}}
# The OpenID provider.
- ports: {{- include "roadstead.ports" (list (printf "https://%s" (urlParse .).host)) | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateConsole" -}}
{{- if and .Values.console.url (not (include "roadstead.hasGateway" .)) -}}
{{- fail "console.url is set, but the console is reached through the gateway, and there is none: set gateway.kind, or clear console.url" -}}
{{- end -}}
{{- with .Values.console.oidc -}}
{{- if and (or .clientId .existingSecret) (not .issuer) -}}
{{- fail "console.oidc.clientId or console.oidc.existingSecret is set: set console.oidc.issuer to the provider, one of tokens.issuers, or clear them" -}}
{{- end -}}
{{- end -}}
{{- with .Values.console.url -}}
{{- if not (regexMatch "^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$" .) -}}
{{- fail (printf "console.url is %q: set it to the console's public address, https://host[:port] in lower case with no path, such as https://console.example.com, or clear it" .) -}}
{{- end -}}
{{- if eq (urlParse .).hostname (urlParse (include "roadstead.gatewayUrl" $)).hostname -}}
{{- fail (printf "console.url %s has the host of gateway.url, and cookies don't distinguish ports: set another host, or clear console.url" .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.console.oidc -}}
{{- if .issuer -}}
{{- $known := list -}}
{{- range $.Values.tokens.issuers }}{{ $known = append $known .issuer }}{{ end -}}
{{- if not (has .issuer $known) -}}
{{- fail (printf "console.oidc.issuer %s is not one of tokens.issuers: add it there with its jwksUrl, so that its tokens are valid" .issuer) -}}
{{- end -}}
{{- if not (has "openid" .scopes) -}}
{{- fail (printf "console.oidc.scopes is [%s]: add openid, without which the provider issues no ID token" (join ", " .scopes)) -}}
{{- end -}}
{{- if not .clientId -}}
{{- fail "console.oidc.issuer is set: set console.oidc.clientId to the console's client id at the provider" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
